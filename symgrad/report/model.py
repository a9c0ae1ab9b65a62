"""The Report: everything that was found out, as frozen plain data. Every rendering starts from here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symgrad.backward import Row
from symgrad.errors import Span
from symgrad.graph import Graph
from symgrad.report.picture import Drawing, Picture
from symgrad.report.shown import Shown

if TYPE_CHECKING:
    from symgrad.report.marks import Marks

#: Version of the JSON document; raised when a field changes its meaning.
SCHEMA = "symgrad-report/1"
#: The kind of a finding that names results which are wrong, and no line that is to blame for them.
UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class WitnessValue:
    """What one witness says of one derivative.

    Attributes:
        value: the number that it computed, exactly as the dtype holds it.
        difference: |value - exact|.
        bound: the rounding bound of this witness's own computation.
        verdict: agree, rounding, undefined or disagree.
        lost_at: name of the step that lost the digits; empty unless the verdict is rounding.
        note: why, in words, where there is more to say.
    """

    value: float
    difference: float
    bound: float
    verdict: str
    lost_at: str = ""
    note: str = ""

    @property
    def in_bounds(self) -> float:
        """The difference in units of the bound."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.bound if self.bound else math.inf


class Forms:
    """A derivative's simplified form as text and in LaTeX, worked out when it is first asked for.

    That is half of the time of a check, and who checks thousands of derivatives asks for none.
    """

    def __init__(self, write: Callable[[], tuple[str, str]] | None = None) -> None:
        self._write = write

    @cached_property
    def both(self) -> tuple[str, str]:
        """The text and the LaTeX; empty where the form is too large to read."""
        return ("", "") if self._write is None else self._write()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Forms) and self.both == other.both

    def __hash__(self) -> int:
        return hash(self.both)

    def __reduce__(self) -> tuple[Any, ...]:
        return _written, self.both


def _written(text: str, latex: str) -> Forms:
    return Forms(lambda: (text, latex))


@dataclass(frozen=True, slots=True)
class GradientReport:
    """One derivative and its witnesses.

    Attributes:
        wrt: ``"w"``, or ``"x,z"`` for a second derivative.
        symbol: how it is written: ``"df/dw"``.
        chain_rule: the derivative as the chain rule gives it; empty where it is too large to read.
        forms: its simplified form, see ``derivative`` and ``latex``.
        exact: the proven digits; empty where there is no derivative, or no point was given.
        left, right: one-sided derivatives at a kink.
        reason: why there is no derivative, in words.
        span: where, in the user's text.
        witnesses: by name, in the order shown.
        verdict: the worst of the witnesses'.
    """

    wrt: str
    symbol: str
    chain_rule: str
    forms: Forms = field(repr=False)
    exact: str = ""
    left: str = ""
    right: str = ""
    reason: str = ""
    span: Span | None = None
    witnesses: Mapping[str, WitnessValue] = field(default_factory=dict)
    verdict: str = "agree"

    @property
    def derivative(self) -> str:
        """The simplified form; empty where it is too large to read."""
        return self.forms.both[0]

    @property
    def latex(self) -> str:
        """The simplified form in LaTeX."""
        return self.forms.both[1]


@dataclass(frozen=True, slots=True)
class ForwardStep:
    """A line of the forward pass: ``name = formula = value``."""

    name: str
    formula: str
    value: float | None
    span: Span | None


@dataclass(frozen=True, slots=True)
class BackwardStep:
    """A chain-rule factor: ``d step/d input = formula = factor``, and what flows on: ``upstream * factor``.

    Attributes:
        step, input: names of the forward step and of the input that it is differentiated by.
        formula: the local derivative in terms of the forward steps.
        factor: its value.
        contribution: the value of (df/d step) * factor.
        total: the value of df/d input once all contributions are in; ``None`` while some are still missing.
    """

    step: str
    input: str
    formula: str
    factor: float | None
    contribution: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake, or one thing to know.

    Attributes:
        code: what kind of diagnostic: ``wrong-factor``, ``missing-term``, ..., ``undefined``, ``note``.
        message: the headline.
        span: where. Columns count from 1, ends are exclusive.
        step: the name that the line assigns to.
        hint: what to do, for findings without a fix.
        label: what stands beside the carets.
        factor: the chain-rule factor concerned: ``dh2/dh2_raw``.
        found, expected: as formulas; ``found_value``, ``expected_value``: at the user's point; ``ratio`` of the two.
        mistake: input-for-output, wrong-variable, sign, scale, ... (see docs/code.md).
        fix: the text that belongs at ``span``; ``edits``: the same with places.
        fix_verified: with the fixes applied to the text, the whole derivation was run again and is right there.
        root: True for a mistake, False for a note.
        inherited: lines that are wrong only because of this one; ``inherited_cells``: of a notebook, their cells.
        forward, forward_span: the forward line that the factor belongs to.
    """

    code: str
    message: str
    span: Span | None = None
    step: str = ""
    hint: str = ""
    label: str = ""
    factor: str = ""
    found: str = ""
    expected: str = ""
    found_value: float | None = None
    expected_value: float | None = None
    ratio: float | None = None
    mistake: str = ""
    fix: str = ""
    edits: tuple[tuple[Span, str], ...] = ()
    fix_verified: bool = False
    root: bool = False
    inherited: tuple[int, ...] = ()
    forward: str = ""
    forward_span: Span | None = None
    inherited_cells: tuple[int, ...] = ()

    @property
    def line(self) -> int | None:
        return self.span.line if self.span else None

    @property
    def column(self) -> int | None:
        return self.span.column if self.span else None

    @property
    def end_line(self) -> int | None:
        return self.span.end_line if self.span else None

    @property
    def end_column(self) -> int | None:
        return self.span.end_column if self.span else None


@dataclass(frozen=True, slots=True)
class Unchecked:
    """An assignment that may be a derivative, and that nothing is said about: it was not recognised as one.

    Attributes:
        name: what is assigned to; span: where.
    """

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Judged:
    """One step of a derivation by hand, and what became of it: what marks are given for.

    Attributes:
        name: what is assigned to; span: where.
        status: ``right``; ``carried``: right for what it was given, which an earlier mistake had spoiled; ``wrong``; or
            ``unchecked``.
        gradients: names of the inputs whose gradients it goes into.
        value: the same for steps that hold the same value: to write a right step down twice earns nothing.
        is_number: a number is written there, and nothing is worked out: ``dy = 1.0``.
    """

    name: str
    span: Span
    status: str
    gradients: tuple[str, ...] = ()
    value: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Report(Shown[GradientReport]):
    """The result of a check.

    Attributes:
        target: what was checked, as given.
        source: the text that spans point into.
        result: the name of the function's value.
        at: the point, exactly as the dtype holds it; empty where none was given.
        dtype, device: where the witnesses ran.
        order: 1, or 2 for second derivatives.
        value: the function's value at the point.
        verdict: the worst verdict of any derivative.
        gradients, steps, backward, findings: see their classes.
        manual_source: the text of the manual derivation, if it is another one than ``source``.
        confirmed: the names of manual lines that are right.
        unchecked: manual lines of which nothing is known, right or wrong.
        judged: every step of the derivation by hand, in order: what :meth:`marks` are given for.
        assumed: what the derivatives are held against, in words, where a program computes no loss.
        is_code: the target is a program, not an expression.
        cells: of a notebook, cell number -> the text that the places of that cell point into.
        original: the program with the line ends of its file, where they are not all ``\\n``.
        graph, rows: the function and its reverse passes, for renderings that write them out.
        drawing: the computation graph as it is drawn, see ``picture``.
    """

    target: str
    source: str
    result: str
    at: Mapping[str, float]
    dtype: str
    device: str
    order: int
    value: str
    verdict: str
    gradients: tuple[GradientReport, ...]
    steps: tuple[ForwardStep, ...]
    backward: tuple[BackwardStep, ...]
    findings: tuple[Finding, ...]
    graph: Graph = field(repr=False)
    rows: tuple[Row, ...] = field(repr=False)
    manual_source: str = field(default="", repr=False)
    confirmed: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    judged: tuple[Judged, ...] = ()
    assumed: str = ""
    is_code: bool = False
    original: str = field(default="", repr=False)
    cells: Mapping[int, str] = field(default_factory=dict, repr=False)
    drawing: Drawing = field(default_factory=Drawing, repr=False)

    @property
    def picture(self) -> Picture | None:
        """The computation graph as it is drawn; ``None`` where there is nothing to draw."""
        return self.drawing.picture

    @property
    def exit_code(self) -> int:
        """0: all agree (rounding included); 1: a disagreement; 2: the derivative is undefined at the point, or the
        program stopped before its end and what ran before is right."""
        stopped = any(f.code == "stopped" for f in self.findings)
        return {"disagree": 1, "undefined": 2}.get(self.verdict, 2 if stopped else 0)

    @property
    def score(self) -> float:
        """The share of its steps that the derivation by hand gets marks for, from 0 to 1; see :meth:`marks`.

        Raises:
            SymgradError: no step of a derivation by hand is in the report.
        """
        return self.marks().score

    def marks(self, rubric: Any = None) -> Marks:
        """Partial credit with error carried forward: each manual step is judged given its own inputs.

        Args:
            rubric: a :class:`symgrad.report.marks.Rubric`, or its tables as they stand in TOML; the default one costs
                a whole step for each mistake, and half a step for a sign or a constant factor.

        Raises:
            SymgradError: no step of a derivation by hand is in the report, or the rubric cannot be used.
        """
        from symgrad.report.marks import mark, rubric_of

        return mark(self, rubric_of(rubric))

    def explain(self, *, width: int = 100, color: bool = False, unicode: bool = False) -> str:
        """The report as text, as the command line prints it; with ``unicode`` 1 - u4**2 is ``1 − u4²``."""
        from symgrad.report.text import render
        from symgrad.report.unicode import prettied

        return render(prettied(self) if unicode else self, width=width, color=color)

    def emit(self, language: str = "numpy") -> str:
        """The correct backward pass as source: a function, in ``"numpy"`` or ``"torch"``, or ``"latex"``.

        Inputs whose values a script brings are the function's parameters; ``symgrad.emitting`` writes them out.

        Raises:
            SymgradError: the function cannot be written in that language.
        """
        from symgrad.codegen.function import LANGUAGES, emit
        from symgrad.codegen.pruning import pruned
        from symgrad.errors import SymgradError

        if language not in LANGUAGES:
            raise SymgradError(f"emit {language!r}: choose {', '.join(LANGUAGES[:-1])} or {LANGUAGES[-1]}")
        wrt = [i for i, s in enumerate(self.graph.steps) if s.is_input and s.name in {g.wrt for g in self.gradients}]
        needed = self.graph.ancestors(self.graph.output)
        wrt = wrt or [i for i, s in enumerate(self.graph.steps) if s.is_input and needed[i]]
        if language == "latex":
            from symgrad.report.emitted import emitted_latex

            small, place = pruned(self.graph, wrt)
            return emitted_latex(small, [place[i] for i in wrt])
        return emit(self.graph, wrt, language, names=self.confirmed).text

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON document: plain dict, list, str, int, float and None."""
        from symgrad.report.document import document

        return document(self)
