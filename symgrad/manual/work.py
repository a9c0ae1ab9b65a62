"""What is diagnosed: a work that can be run, and an account of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from symgrad.diagnose.engine import Diagnosis, diagnose
from symgrad.diagnose.observing.subject import Subject
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace


@dataclass(frozen=True, slots=True)
class Work:
    """A person's work: a text that can be run, and run again with repairs in it.

    Attributes:
        source: the text; ``filename``: its name in messages.
        run: a text -> what happens when it runs in place of ``source``.
        choose: a run, and perhaps what was differentiated in another run of the text -> what of it is the forward pass,
            and what the derivation.
        original: the text with the line ends of the file, where they are not all ``\\n``.
        what: what it is.
        guesses: the loss may be one that the script does not compute.
        like: what was differentiated where the text ran without the repairs: with them it is the same.
        changed: how many lines of the person's text are others here, to see what comes of it.
        lately: what was diagnosed last, and what came of it: a text with its fixes in it is looked at more than once.
    """

    source: str
    filename: str
    run: Callable[[str], Trace]
    choose: Callable[[Trace, Subject | None], Subject]
    original: str = ""
    what: str = "script"
    guesses: bool = False
    like: Subject | None = None
    changed: int = 0
    lately: list[tuple[Subject, Diagnosis]] = field(default_factory=list, compare=False, repr=False)

    def diagnosed(self, subject: Subject, *, brief: bool = False) -> Diagnosis:
        """The diagnosis of one of its runs. Of numbers a brief one is no other, and the last one is remembered."""
        if subject.is_shaped:
            return diagnose(subject, brief=brief)
        if not self.lately or self.lately[0][0] != subject:
            self.lately[:] = [(subject, diagnose(subject, brief=brief))]
        return self.lately[0][1]

    def subject(self, trace: Trace) -> Subject:
        """What of a run is the forward pass, and what the derivation, with where it stopped if it did.

        Raises:
            SymgradError: nothing is a function of anything; that the script stopped first, where it did.
        """
        if trace.error is None:
            return self.choose(trace, self.like)
        try:
            chosen = self.choose(trace, self.like)
        except SymgradError:
            raise trace.error.exception(self.source) from None
        return replace(chosen, stopped=True, frames=tuple(f.line for f in trace.error.frames))


@dataclass(frozen=True, slots=True)
class Account:
    """One way to take a run.

    Attributes:
        work: what ran; ``trace``: what happened.
        brief: only whether there are mistakes is asked: nobody sees the words.
        subject: what is differentiated, and what the derivation is.
        diagnosis: what of the derivation is right and wrong then.
    """

    work: Work
    trace: Trace
    brief: bool
    subject: Subject
    diagnosis: Diagnosis

    def against(self, subject: Subject) -> Account:
        """The account of the same run where something else is differentiated, or otherwise."""
        found = diagnose(subject, brief=self.brief)
        return replace(self, subject=found.subject or subject, diagnosis=found)

    @property
    def told(self) -> tuple[int, int]:
        """How much of a derivation is understood, and right: more is better."""
        return self.diagnosis.understood - len(self.diagnosis.unchecked), -len(self.diagnosis.blames)


#: A second reading: from the account that there is to a better one, or to the same.
SecondReading = Callable[[Account], Account]

__all__ = ["Account", "SecondReading", "Work"]
