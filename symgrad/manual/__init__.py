"""Manual derivations: a script or formulas in, a Report out that names the wrong factors."""

from symgrad.manual.formulas import check_formulas, merged_formula
from symgrad.manual.objectives import NO_LOSS
from symgrad.manual.scripts import check_source, check_work
from symgrad.manual.work import Work

__all__ = ["NO_LOSS", "Work", "check_formulas", "check_source", "check_work", "merged_formula"]
