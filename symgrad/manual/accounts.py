"""From a run to the account of it that is told: the plain reading, and after it those that may explain more.

A second reading takes the account that there is and gives a better one or the same. It either holds the derivation
against something else (a loss that the script does not compute, a logarithm without its small number, another result),
or tells the same mistakes in the words that belong to them. A new one is a function with that signature in a module of
its own, and a place in the list.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.diagnose.engine import diagnose, glance
from symgrad.errors import SymgradError
from symgrad.frontends.trace.data import Trace
from symgrad.manual.callees import in_parameters
from symgrad.manual.deliberate import of_gradients_changed_on_purpose
from symgrad.manual.epsilons import without_epsilons
from symgrad.manual.imported import in_imported
from symgrad.manual.links import of_canonical_links
from symgrad.manual.means import of_means_taken_late
from symgrad.manual.negatives import of_losses_only_printed, of_the_negative
from symgrad.manual.objectives import of_an_objective, stands_for_want
from symgrad.manual.penalties import with_penalties
from symgrad.manual.recomputed import of_recomputed
from symgrad.manual.results import of_further_results
from symgrad.manual.reversals import of_lists_not_reversed
from symgrad.manual.roundings import passed_straight, straightened
from symgrad.manual.scopes import in_scopes
from symgrad.manual.softmaxes import named_softmax
from symgrad.manual.targets import of_targets_held_fixed
from symgrad.manual.unmoved import of_parameters_left_out
from symgrad.manual.uphill import of_steps_uphill
from symgrad.manual.work import Account, SecondReading, Work

#: In this order: first what is differentiated, then the words, then what is still open.
SECOND_READINGS: tuple[SecondReading, ...] = (
    of_the_negative, of_losses_only_printed, of_targets_held_fixed, of_an_objective, with_penalties, passed_straight,
    of_gradients_changed_on_purpose, without_epsilons, named_softmax, in_parameters, in_scopes, in_imported,
    of_further_results, of_recomputed, of_lists_not_reversed, of_parameters_left_out, of_means_taken_late,
    of_canonical_links, of_steps_uphill,
)  # fmt: skip


def _from_its_start(plain: Account, made: Account) -> Account:
    """The account against an objective that was made up, unless that leaves lines open and the derivation begins with
    what it compares, ``y - out``: changes to single lines may make all that follows right then."""
    if not plain.subject.made_up or not made.diagnosis.unchecked or made.diagnosis.blames:
        return made
    found = diagnose(plain.subject, brief=plain.brief)
    fixable = found.blames and not found.unchecked and all(b.edits for b in found.blames)
    return replace(plain, subject=found.subject or plain.subject, diagnosis=found) if fixable else made


def account(work: Work, trace: Trace, *, brief: bool = False) -> Account:
    """What is differentiated in a run, and what of the derivation is right and wrong.

    Args:
        brief: only whether there are mistakes is asked.

    Raises:
        SymgradError: nothing is a function of anything; with the place where the script stopped, if it did.
    """
    note = ""
    try:
        subject = work.subject(trace)
    except SymgradError:
        # All that there is may be a function of something by a rounding only, which a gradient is passed through.
        if (straight := straightened(trace)) is None:
            raise
        (trace, note), subject = straight, work.subject(straight[0])
    readings, taken = SECOND_READINGS, None
    if not note and work.guesses and stands_for_want(trace, subject):
        # To look for what is wrong against something that nobody differentiates would be in vain, and takes long.
        plain = Account(work, trace, brief, subject, glance(subject))
        made = of_an_objective(plain)
        if made.subject is not plain.subject:
            taken = _from_its_start(plain, made)
            readings = tuple(r for r in readings if r is not of_an_objective)
    if taken is None:
        found = work.diagnosed(subject, brief=brief)
        if note:
            found = replace(found, notes=(*found.notes, note))
        taken = Account(work, trace, brief, found.subject or subject, found)
    for reading in readings:
        taken = reading(taken)
    return taken
