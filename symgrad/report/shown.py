"""What every report has in common: a verdict with its exit code, a gradient for each variable, and how it is shown."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar


class HasVariable(Protocol):
    """What is said of the derivative by one variable."""

    @property
    def wrt(self) -> str: ...


Gradient = TypeVar("Gradient", bound=HasVariable)


class Verdict(Generic[Gradient]):
    """A report of some gradients; its class has the fields ``verdict`` and ``gradients``."""

    __slots__ = ()
    verdict: str
    gradients: tuple[Gradient, ...]

    @property
    def ok(self) -> bool:
        """True where no witness disagrees: all agree, or what differs is rounding."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0: all agree (rounding included); 1: a disagreement; 2: there is no derivative at a point, or at any."""
        return {"disagree": 1, "undefined": 2}.get(self.verdict, 0)

    def __getitem__(self, wrt: str) -> Gradient:
        """The derivative with respect to ``wrt``.

        Raises:
            KeyError: it is not in this report.
        """
        for gradient in self.gradients:
            if gradient.wrt == wrt:
                return gradient
        raise KeyError(wrt)


class Shown(Verdict[Gradient]):
    """A report with a derivation that can be drawn and typeset."""

    __slots__ = ()

    def latex(self, *, notation: str = "fraction", document: bool = False) -> str:
        """The derivation in LaTeX: an ``align*`` environment (amsmath), or a document that compiles as it is.

        Args:
            notation: how the gradient by X is written: ``"fraction"`` (dL/dX), ``"bar"``, or ``"d"`` (dX).
            document: a whole file.

        Raises:
            SymgradError: there is no such notation.
        """
        from symgrad.report.tex import latex

        report: Any = self
        return latex(report, notation=notation, document=document)

    def html(self) -> str:
        """The report as one HTML file that needs nothing else. Nothing of the user's text becomes markup."""
        from symgrad.report.html import page

        report: Any = self
        return page(report)

    def _repr_html_(self) -> str:
        from symgrad.report.notebook import framed

        return framed(self.html())

    def _repr_latex_(self) -> str:
        from symgrad.report.notebook import mathjax
        from symgrad.report.paper import paper

        report: Any = self
        return mathjax(paper(report))
