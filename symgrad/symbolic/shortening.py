"""Simplification within a budget.

``sympy.simplify`` searches, for minutes where it likes, and cannot be interrupted. This one walks the distinct
sub-expressions, inner ones first, and offers each a few rewritings of bounded cost: identities between functions of one
argument, and its form as a rational function. The shortest is kept; the one that was given wins a tie. Work is
counted, never timed, so the result depends on the input alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symgrad.errors import Unsupported
from symgrad.symbolic.census import Census, depth
from symgrad.symbolic.guard import MAX_BITS, MAX_DEPTH, TooLarge, bits, check_node
from symgrad.symbolic.identities import cases, combine, conjugates, pythagoras
from symgrad.symbolic.rational import rational_forms
from symgrad.symbolic.text import sympy_text

#: Units of work that stand for a second; a unit is some fifty microseconds of a slow machine.
UNITS_PER_SECOND = 15_000
#: Whole walks over the expression: what an outer sum becomes may help once more.
ROUNDS = 2
#: Rewritings of one node, each of the result of the last.
STEPS = 4
#: Largest power of a sum whose content is taken out: (2*x + 2)**n becomes 2**n*(x + 1)**n.
CONTENT_POWER = 8
#: Sums inside sums that _grouped makes at once.
GROUPS = 12
#: Arguments of one sum or product that identities are looked for in.
MAX_ARGUMENTS = 80


@dataclass(frozen=True, slots=True)
class Simplified:
    """A shorter form.

    Attributes:
        expr: never longer than what was given.
        complete: the budget sufficed; more of it changes nothing.
        work: units of work that it took.
    """

    expr: Any
    complete: bool
    work: int


def length(expr: Any) -> int:
    """How long an expression is to read: about the characters of its text, and a little more for fractions."""
    return _Lengths().of(expr)


def simplify(expr: Any, *, seconds: float = 1.0) -> Simplified:
    """A form of ``expr`` that is at most as long, and equal wherever both have a value.

    Args:
        expr: a SymPy expression over real symbols.
        seconds: roughly what it may take on a slow machine. It is turned into units of work, so that the result is the
            same on every machine, and the same for every budget that suffices.
    """
    if depth(expr) > MAX_DEPTH:
        return Simplified(expr, False, 0)
    work = _Work(max(0, int(seconds * UNITS_PER_SECOND)))
    lengths = _Lengths()
    try:
        start = current = lengths.abstract(expr)
        for _ in range(ROUNDS):
            better = _Walk(work, lengths).run(current)
            if better == current or work.exhausted:
                current = better
                break
            current = better
        found = expr if current == start else lengths.reveal(current)
    except Exception:  # SymPy evaluates what it builds, and fails in many ways (see to_sympy)
        return Simplified(expr, False, work.used)
    if found.has(sp.I) and not expr.has(sp.I):
        found = expr  # a square root of what is negative everywhere: there is no real form of it
    return Simplified(found if _is_shorter(found, expr) else expr, not work.exhausted, work.used)


def _is_shorter(new: Any, old: Any) -> bool:
    """By the measure and as text: the measure is an estimate, and people count characters."""
    try:
        if new == old or length(new) > length(old):
            return False
        return len(sympy_text(new)) <= len(sympy_text(old))
    except TooLarge:
        return False
    except Unsupported:
        return True


class _Work:
    """Units of work: counted down, never read off a clock."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self.exhausted = False

    def spend(self, units: int) -> bool:
        if self.exhausted or self.used + units > self.budget:
            self.exhausted = True
            return False
        self.used += units
        return True


class _Lengths(Census):
    """The measure, remembered for every node seen."""

    def __init__(self) -> None:
        super().__init__()
        self._length: dict[Any, int] = {}

    def of(self, expr: Any) -> int:
        if self.depth(expr) > MAX_DEPTH + MAX_DEPTH // 4:
            raise TooLarge("nested too deep")
        return self._length[expr]

    def look(self, node: Any) -> None:
        """Measure one node.

        Raises:
            TooLarge: it is not fit to be looked at any further.
        """
        if node.is_Rational and bits(node) > 2 * MAX_BITS:
            raise TooLarge("a number too long")
        self._length[node] = self._measure(node)

    def _measure(self, node: Any) -> int:
        known = self._length
        if node.is_Rational:
            return len(str(node)) + int(node.q != 1)
        if node.is_Symbol:
            return known[self.values[node]] if node in self.values else len(node.name)
        if node.is_Add:
            minus = sum(map(_minus, node.args))
            # A leading minus sign is a character and a stumbling block.
            return sum(known[a] for a in node.args) + 3 * len(node.args) - 3 - minus + 2 * (minus == len(node.args))
        if node.is_Mul:
            return self._product(node)
        if node.is_Pow:
            return self._power(node.base, node.exp)
        if not node.args:
            return len(str(node))
        if isinstance(node, sp.Piecewise):
            return sum(known[v] + known[c] + 9 for v, c in node.args[:-1]) + known[node.args[-1][0]]
        if node.is_Relational:
            return sum(known[a] for a in node.args) + 3
        return len(node.func.__name__) + 2 + sum(known[a] for a in node.args) + 2 * (len(node.args) - 1)

    def _product(self, node: Any) -> int:
        total = below = 0
        for factor in node.args:
            if factor is sp.S.NegativeOne:
                total += 1
                continue
            if factor.is_Rational and factor.q != 1:
                total += len(str(factor.p)) + 1 if abs(factor.p) != 1 else factor.p < 0
                total += len(str(factor.q)) + 2
                below += 1
                continue
            inverse = bool(factor.is_Pow and factor.exp.is_Rational and factor.exp < 0)
            below += inverse
            total += 1 + self._length[factor] - inverse + (2 if factor.is_Add else 0)
        return max(1, total - 1 + 2 * (below > 1))

    def _power(self, base: Any, exponent: Any) -> int:
        inner = self._length[base]
        if exponent.is_Rational and exponent < 0:
            # Written 1/x**n.
            parens = 2 * bool(base.is_Add or base.is_Mul)
            return 2 + (inner + parens if exponent == -1 else self._power(base, -exponent))
        if exponent == sp.S.Half:
            return inner + 6
        parens = 2 * bool(base.is_Add or base.is_Mul or base.is_Pow)
        exponent_length = self._length.get(exponent, len(str(exponent)))
        # The square of a function costs one more, so that s*(1 - s) is not multiplied out to s - s**2.
        parens += bool(base.is_Function)
        return inner + parens + 2 + exponent_length + 2 * bool(not exponent.is_Integer and not exponent.is_Symbol)


def _minus(term: Any) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


class _Walk:
    """One walk over the distinct sub-expressions, inner ones first."""

    def __init__(self, work: _Work, lengths: _Lengths) -> None:
        self.work = work
        self.lengths = lengths
        self.groups = 0

    def run(self, expr: Any) -> Any:
        done: dict[Any, Any] = {}
        stack = [expr]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            if node in self.lengths.values:
                value = self.lengths.values[node]
                if value in done:
                    done[stack.pop()] = self.lengths.hide(done[value])
                else:
                    stack.append(value)
                continue
            if not node.args or not isinstance(node, sp.Expr) or self.work.exhausted:
                # Conditions are left alone: SymPy would solve them.
                done[stack.pop()] = node
                continue
            missing = [a for a in _operands(node) if a not in done]
            if missing:
                stack += reversed(missing)
                continue
            stack.pop()
            done[node] = self._improve(self._rebuilt(node, done))
        return done[expr]

    def _rebuilt(self, node: Any, done: dict[Any, Any]) -> Any:
        """The node with its operands simplified, if SymPy can be given that."""
        try:
            if not isinstance(node, sp.Piecewise):
                check_node(node, tuple(done[a] for a in node.args))
            found = self.lengths.rebuilt(node, done)
            self.lengths.of(found)
        except Exception:  # SymPy evaluates what it builds, and fails in many ways (see to_sympy)
            return node
        return found

    def _improve(self, expr: Any) -> Any:
        """The shortest of some rewritings, of which each starts from the best so far."""
        for _ in range(STEPS):
            best, least = expr, self.lengths.of(expr)
            if not self.work.spend(4 + len(expr.args) + least // 16) or len(expr.args) > MAX_ARGUMENTS:
                break
            try:
                for other in self._candidates(expr):
                    size = self.lengths.of(other)
                    if size < least:
                        best, least = other, size
            except Exception:  # see _rebuilt; what was found until then is good
                break
            if best is expr:
                break
            expr = best
        return expr

    def _candidates(self, expr: Any) -> Iterable[Any]:
        if expr.is_Add:
            merged = pythagoras(expr)
            yield merged
            if not merged.is_Add:
                return
            self.work.spend(len(expr.args))
            for form in rational_forms(merged, self.work.spend):
                yield form
                polished = conjugates(_gathered(combine(_inner_sums(form))))
                if polished != form:
                    yield polished
            yield _common(merged)
            yield self._grouped(merged)
            yield cases(merged)
        elif expr.is_Mul or expr.is_Pow:
            merged = conjugates(combine(expr))
            yield merged
            gathered = _gathered(merged)
            yield gathered
            yield cases(gathered)
            if _may_cancel(gathered):
                for form in rational_forms(gathered, self.work.spend):
                    yield form
                    polished = conjugates(_gathered(combine(_inner_sums(form))))
                    if polished != form:
                        yield polished

    def _grouped(self, expr: Any) -> Any:
        """Terms that share the costliest factor taken together: a*b*c + a*b + d to a*b*(c + 1) + d."""
        saved: dict[Any, int] = {}
        for term in expr.args:
            for power in _powers(term).items():
                saved[power] = saved.get(power, -1) + 1
        self.work.spend(len(saved))
        best, gain = None, 0
        for (base, n), count in saved.items():
            worth = count * (self.lengths.of(base**n) + 1) - 2
            if n > 0 and worth > gain:
                best, gain = (base, n), worth
        if best is None:
            return expr
        base, n = best
        inside = [t for t in expr.args if _powers(t).get(base) == n]
        outside = [t for t in expr.args if _powers(t).get(base) != n]
        rest = sp.Add(*(_divided(t, {base: n}) for t in inside))
        if self.groups < GROUPS:
            self.groups += 1
            rest = self._improve(rest)
            self.groups -= 1
        return sp.Add(_gathered(sp.Mul(base**n, rest)), *outside)


def _powers(term: Any) -> dict[Any, Any]:
    """The factors of a term and their exponents, without its rational coefficient."""
    found = {}
    for f in sp.Mul.make_args(term):
        base, n = (f.base, f.exp) if f.is_Pow and f.exp.is_Rational else (f, sp.S.One)
        if not base.is_Rational:
            found[base] = n
    return found


def _divided(term: Any, powers: dict[Any, Any]) -> Any:
    """A term without these factors of it. SymPy's own division does not find exp(a - b) in exp(b - a)."""
    factors = []
    for f in sp.Mul.make_args(term):
        base, n = (f.base, f.exp) if f.is_Pow and f.exp.is_Rational else (f, sp.S.One)
        factors.append(base ** (n - powers[base]) if base in powers else f)
    return sp.Mul(*factors)


def _operands(node: Any) -> tuple[Any, ...]:
    """Sub-expressions that are simplified before the node; not the conditions of a Piecewise."""
    if isinstance(node, sp.Piecewise):
        return tuple(value for value, _ in node.args)
    return tuple(node.args)


def _inner_sums(expr: Any) -> Any:
    """Pythagoras in each factor that is a sum: what a factorisation laid open."""
    if expr.is_Add:
        return pythagoras(expr)
    if not expr.is_Mul:
        return expr
    factors = []
    for f in expr.args:
        if f.is_Pow and f.base.is_Add and f.exp.is_Integer:
            factors.append(pythagoras(f.base) ** f.exp)
        else:
            factors.append(pythagoras(f) if f.is_Add else f)
    return sp.Mul(*factors)


def _gathered(expr: Any) -> Any:
    """Rational content of all factors in one number, and minus signs taken into a factor that is a sum."""
    if not expr.is_Mul:
        return expr
    constant: Any = sp.S.One
    factors: list[Any] = []
    for f in expr.args:
        base, n = (f.base, f.exp) if f.is_Pow and f.exp.is_Integer else (f, sp.S.One)
        if f.is_Rational:
            constant *= f
        elif base.is_Add and abs(n) <= CONTENT_POWER:
            content, primitive = base.primitive()
            constant *= content**n
            factors.append((primitive, n))
        else:
            factors.append((base, n))
    for i, (base, n) in enumerate(factors):
        if base.is_Add and n % 2 == 1 and all(map(_minus, base.args)):
            factors[i] = (-base, n)
            constant = -constant
    if constant.is_negative:
        for i, (base, n) in enumerate(factors):
            if base.is_Add and n % 2 == 1 and sum(map(_minus, base.args)) * 2 >= len(base.args):
                factors[i] = (-base, n)
                constant = -constant
                break
    return sp.Mul(constant, *(b**n for b, n in factors))


def _common(expr: Any) -> Any:
    """Factors that all terms of a sum share, taken out; for sums beyond the limits of the rational form."""
    if not expr.is_Add:
        return expr
    shared: dict[Any, Any] | None = None
    for term in expr.args:
        powers = _powers(term)
        if shared is None:
            shared = powers
        else:
            shared = {b: min(n, powers[b]) for b, n in shared.items() if b in powers}
        if not shared:
            return expr
    powers = shared or {}
    rest = sp.Add(*(_divided(t, powers) for t in expr.args))
    return _gathered(sp.Mul(*(b**n for b, n in powers.items()), rest))


def _may_cancel(expr: Any) -> bool:
    """Whether a product is worth a rational form: there is a sum above the line, and one below or another above."""
    sums = [f for f in sp.Mul.make_args(expr) if _is_sum(f)]
    return len(sums) > 1 or any(f.is_Pow and f.exp < 0 for f in sums)


def _is_sum(factor: Any) -> bool:
    return bool(factor.is_Add or (factor.is_Pow and factor.base.is_Add and factor.exp.is_Integer))
