"""Identities between functions of one argument, applied to products and sums as they stand, without expanding."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import sympy as sp

#: Functions of one argument as products of powers of two of them.
CIRCULAR = {
    sp.sin: (1, 0), sp.cos: (0, 1), sp.tan: (1, -1), sp.sec: (0, -1), sp.csc: (-1, 0), sp.cot: (-1, 1),
}  # fmt: skip
HYPERBOLIC = {
    sp.sinh: (1, 0), sp.cosh: (0, 1), sp.tanh: (1, -1), sp.sech: (0, -1), sp.csch: (-1, 0), sp.coth: (-1, 1),
}  # fmt: skip
FAMILIES: dict[Any, dict[Any, tuple[int, int]]] = {f: family for family in (CIRCULAR, HYPERBOLIC) for f in family}

#: (f, g, s, t): f**2 + s*g**2 = t.
SQUARES = (
    (sp.sin, sp.cos, 1, 1), (sp.tan, sp.sec, -1, -1), (sp.cot, sp.csc, -1, -1),
    (sp.tanh, sp.sech, 1, 1), (sp.coth, sp.csch, -1, 1), (sp.sinh, sp.cosh, -1, -1),
)  # fmt: skip

_PARTNERS: dict[Any, tuple[Any, int, int]] = {}
for _f, _g, _s, _t in SQUARES:
    _PARTNERS[_f] = (_g, _s, _t)
    _PARTNERS[_g] = (_f, _s, _s * _t)


def _power(expr: Any) -> tuple[Any, int]:
    """``(base, n)`` for an integer power, else ``(expr, 1)``."""
    if expr.is_Pow and expr.exp.is_Integer:
        return expr.base, int(expr.exp)
    return expr, 1


@cache
def _shortest(sine: int, cosine: int, circular: bool) -> tuple[tuple[Any, int], ...]:
    """The product of at most two functions of a family with the given exponents that is written shortest."""
    family = CIRCULAR if circular else HYPERBOLIC
    if sine == 0 and cosine == 0:
        return ()
    best: tuple[int, tuple[tuple[Any, int], ...]] | None = None
    for f, g in combinations(family, 2):
        (a, b), (c, d) = family[f], family[g]
        det = a * d - b * c
        if abs(det) != 1:
            continue
        powers = ((f, (sine * d - cosine * c) * det), (g, (cosine * a - sine * b) * det))
        used = tuple((h, n) for h, n in powers if n)
        cost = sum(len(h.__name__) + 4 + (n < 0) + 3 * (abs(n) > 1) for h, n in used)
        if best is None or cost < best[0]:
            best = cost, used
    return best[1] if best else ()


def combine(expr: Any) -> Any:
    """Merge factors of a product: sin*sec to tan, 1/cosh**2 to sech**2, exp(a)*exp(b), sign(u)*Abs(u)."""
    if not (expr.is_Mul or expr.is_Pow):
        return expr
    rest: list[Any] = []
    groups: dict[tuple[Any, bool], dict[Any, int]] = {}
    exponents: list[Any] = []
    signs: dict[Any, int] = {}
    sizes: dict[Any, Any] = {}
    for factor in sp.Mul.make_args(expr):
        base, n = _power(factor)
        if base.func in FAMILIES:
            group = groups.setdefault((base.args[0], base.func in CIRCULAR), {})
            group[base.func] = group.get(base.func, 0) + n
        elif isinstance(factor, sp.exp):
            exponents.append(factor.args[0])
        elif isinstance(base, sp.sign) and n > 0:
            signs[base.args[0]] = n
        elif isinstance(base, sp.Abs):
            sizes[base.args[0]] = n
        else:
            rest.append(factor)
    changed = False
    for (u, circular), group in groups.items():
        family = CIRCULAR if circular else HYPERBOLIC
        given = {f: n for f, n in group.items() if n}
        if len(given) > 1 or any(n < 0 for n in given.values()):
            sine = sum(n * family[f][0] for f, n in given.items())
            cosine = sum(n * family[f][1] for f, n in given.items())
            merged = dict(_shortest(sine, cosine, circular))
            changed |= merged != given
            given = merged
        rest += [f(u) ** n for f, n in given.items()]
    if len(exponents) > 1:
        changed = True
        rest.append(sp.exp(sp.Add(*exponents)))
    else:
        rest += [sp.exp(u) for u in exponents]
    for u, n in signs.items():
        k = sizes.get(u, 0)
        if n % 2 == 1 and k in (1, -1):  # sign(u)*Abs(u) = u, and sign(u)/Abs(u) = 1/u: at 0 too
            rest.append(u**k)
            del sizes[u]
            changed = True
        else:
            rest.append(sp.sign(u) ** n)
    rest += [sp.Abs(u) ** n for u, n in sizes.items()]
    return sp.Mul(*rest) if changed else expr


def _hit(terms: dict[Any, Any]) -> tuple[Any, Any, Any, Any] | None:
    """Two terms that an identity makes one: (first key, second key, new key, new coefficient)."""
    for key, c in terms.items():
        for factor in sp.Mul.make_args(key):
            base, n = _power(factor)
            if n < 2 or base.func not in _PARTNERS:
                continue
            # With r = key / f**2: c*r*f**2 beside c0*r or c2*r*g**2, where f**2 + s*g**2 = t.
            g, s, t = _PARTNERS[base.func]
            r = key / base**2
            other = terms.get(r)
            if other is not None and other == -c * t:
                return key, r, r * g(base.args[0]) ** 2, -c * s
            partner = r * g(base.args[0]) ** 2
            other = terms.get(partner)
            if other is not None and other == c * s:
                return key, partner, r, c * t
    return None


def pythagoras(expr: Any) -> Any:
    """Merge terms of a sum: c - c*tanh(u)**2 to c*sech(u)**2, sin**2 + cos**2 to 1, and their kin."""
    changed = False
    while expr.is_Add:
        terms: dict[Any, Any] = {}
        for term in expr.args:
            c, key = term.as_coeff_Mul()
            terms[key] = terms.get(key, 0) + c
        found = _hit(terms)
        if found is None:
            break
        first, second, key, c = found
        del terms[first], terms[second]
        terms[key] = terms.get(key, 0) + c
        expr = sp.Add(*(c * k for k, c in terms.items()))
        changed = True
    return combine(expr) if changed else expr


def conjugates(expr: Any) -> Any:
    """Merge factors of a product: (1 - tanh(u))*(1 + tanh(u)) to sech(u)**2, and their kin."""
    if not expr.is_Mul:
        return expr
    factors = list(expr.args)
    for i, j in combinations(range(len(factors)), 2):
        (a, m), (b, n) = _power(factors[i]), _power(factors[j])
        if m != n or not (a.is_Add and b.is_Add and len(a.args) == 2 and len(b.args) == 2):
            continue
        product = sp.Add(*(p * q for p in a.args for q in b.args))
        merged = pythagoras(product)
        if not merged.is_Add:
            others = [f for k, f in enumerate(factors) if k not in (i, j)]
            return conjugates(combine(sp.Mul(*others, merged**m)))
    return expr


def _split_case(term: Any) -> tuple[Any, Any, Any, Any] | None:
    """A term with one factor of two cases: (rest, condition, value where it holds, value elsewhere)."""
    rest: list[Any] = []
    found: Any = None
    for factor in sp.Mul.make_args(term):
        if isinstance(factor, sp.Piecewise) and found is None and len(factor.args) == 2:
            found = factor
        else:
            rest.append(factor)
    if found is None or found.args[1][1] is not sp.true or not found.args[0][1].is_Relational:
        return None
    (yes, condition), (no, _) = found.args
    if condition.negated.sort_key() < condition.sort_key():
        condition, yes, no = condition.negated, no, yes
    return sp.Mul(*rest), condition, yes, no


def cases(expr: Any) -> Any:
    """Take factors and terms into a case distinction: 2*x*[x > 0] + y*[x <= 0] is 2*x where x > 0, else y."""
    if not (expr.is_Add or expr.is_Mul):
        return expr
    others: list[Any] = []
    groups: dict[Any, list[tuple[Any, Any]]] = {}
    for term in sp.Add.make_args(expr):
        split = _split_case(term)
        if split is None:
            others.append(term)
        else:
            rest, condition, yes, no = split
            groups.setdefault(condition, []).append((rest * yes, rest * no))
    if not groups:
        return expr
    for condition, parts in groups.items():
        yes, no = sp.Add(*(y for y, _ in parts)), sp.Add(*(n for _, n in parts))
        if isinstance(condition, sp.Ne | sp.Lt | sp.Le) and not isinstance(condition, sp.Eq):
            condition, yes, no = condition.negated, no, yes
        others.append(yes if yes == no else sp.Piecewise((yes, condition), (no, True), evaluate=False))
    return sp.Add(*others)
