"""``scipy.optimize``: a function and its derivative are each called once, where the search begins.

What an optimiser finds has no part in whether a derivative is right, so none is run: it gives back where it began, and
that is said. A root is another matter: what is made of it is differentiated through it (see ``roots``). Of what checks
a gradient by differences the exact gradient takes the place of these.
"""

# A handler has the signature of the function that it stands for, used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.frontends.trace.arrays import Array
from symgrad.frontends.trace.claims import claimed, claimed_jacobian
from symgrad.frontends.trace.data import BackwardCall
from symgrad.frontends.trace.lib_differentiating import derivatives
from symgrad.frontends.trace.lib_math import raw
from symgrad.frontends.trace.records import Record
from symgrad.frontends.trace.registry import HANDLERS, MODULES, as_array, traced
from symgrad.frontends.trace.roots import root_of
from symgrad.frontends.trace.tracer import Tracer
from symgrad.frontends.trace.values import NumpyFloat, Value, number

MODULES.add("scipy.optimize")


class Found(Record):
    """What an optimiser gives back."""

    __slots__ = ()
    fields = ("x", "fun", "jac", "success", "message", "nit", "nfev", "njev", "status", "root", "converged")


def _started(tr: Tracer, x: Any, name: str = "x0") -> Any:
    """Where a search begins: an array is an input, if of no name."""
    made = as_array(tr, x) if isinstance(x, list | tuple) else x
    if isinstance(made, Array) and made.step is None and made.data.dtype.kind in "fi":
        data = made.data.astype(np.float64)
        made = Array(tr, data, tr.leaf(name, data, tr.here(), literal=False, dtype="float64", scope=""))
    return made


def _together(args: Any) -> tuple[Any, ...]:
    return tuple(args) if isinstance(args, list | tuple) else (args,)


@traced("scipy.optimize.check_grad")
def _check_grad(tr: Tracer, func: Any, grad: Any, x0: Any, *args: Any, **options: Any) -> float:
    """The length of the difference."""
    start = _started(tr, x0)
    exact = derivatives(tr).gradient(func, summed=True)(start, *args)
    given = grad(start, *args)
    _claimed(tr, given, start)
    return float(np.linalg.norm(np.ravel(raw(exact)) - np.ravel(np.asarray(raw(given), dtype=np.float64))))


@traced("scipy.optimize.approx_fprime")
def _approx_fprime(tr: Tracer, xk: Any, f: Any, epsilon: Any = None, *args: Any) -> Any:
    return derivatives(tr).jacobian(f)(_started(tr, xk), *args)


def _once(tr: Tracer, name: str, function: Any, x0: Any, args: Any, jac: Any = None) -> tuple[Any, Any, Any]:
    """Where it begins, and there the function and its derivative."""
    tr.note(f"scipy.optimize.{name} is not run: its functions are called once, where it begins")
    start = _started(tr, x0)
    passed = _together(args)
    found = function(start, *passed)
    value, slope = found[:2] if jac is True else (found, jac(start, *passed) if callable(jac) else None)
    if isinstance(value, Value) and value.step is not None and np.size(value.raw) == 1 and slope is not None:
        tr.backward_calls.append(BackwardCall(value.step, tr.here()))
        _claimed(tr, slope, start)
    elif isinstance(start, Value) and start.step is not None and slope is not None:
        claimed_jacobian(tr, slope, value, start.step)
    return start, value, slope


def _claimed(tr: Tracer, slope: Any, start: Any) -> None:
    """What is handed over as a derivative says of itself what it is one of."""
    if isinstance(start, Value) and start.step is not None:
        claimed(tr, slope, start.step)


def _root(tr: Tracer, name: str, f: Any, x0: Any, args: Any, jac: Any = None, end: Any = None) -> tuple[Any, Any, Any]:
    """A root of a function, and there the function; with a derivative of its own this is what is checked, where the
    search begins."""
    if not callable(jac) and jac is not True:
        begun = as_array(tr, x0) if isinstance(x0, list | tuple) else x0
        found = root_of(tr, f, begun, _together(args), end)
        if found is not None:
            return found, f(found, *_together(args)), None
    return _once(tr, name, f, x0, args, jac)


def _result(start: Any, value: Any, slope: Any) -> Found:
    return Found((start, value, slope, True, "not run", 0, 1, 1, 0, start, True))


@traced("scipy.optimize.minimize")
def _minimize(
    tr: Tracer, fun: Any, x0: Any, args: Any = (), method: Any = None, jac: Any = None, **options: Any
) -> Any:
    return _result(*_once(tr, "minimize", fun, x0, args, jac))


@traced("scipy.optimize.least_squares")
def _least_squares(tr: Tracer, fun: Any, x0: Any, jac: Any = None, *more: Any, args: Any = (), **options: Any) -> Any:
    return _result(*_once(tr, "least_squares", fun, x0, args, jac if callable(jac) else None))


@traced("scipy.optimize.root")
def _root_of(
    tr: Tracer, fun: Any, x0: Any, args: Any = (), method: Any = None, jac: Any = None, **options: Any
) -> Any:
    return _result(*_root(tr, "root", fun, x0, args, None if isinstance(jac, str) else jac))


@traced("scipy.optimize.root_scalar")
def _root_scalar(
    tr: Tracer, f: Any, args: Any = (), method: Any = None, bracket: Any = None, fprime: Any = None,
    fprime2: Any = None, x0: Any = None, **options: Any,
) -> Any:  # fmt: skip
    start, end = (x0, None) if bracket is None else bracket
    return _result(*_root(tr, "root_scalar", f, start, args, fprime, end))


@traced("scipy.optimize.minimize_scalar")
def _minimize_scalar(
    tr: Tracer, fun: Any, bracket: Any = None, bounds: Any = None, args: Any = (), **options: Any
) -> Any:
    ends = bracket if bracket is not None else bounds if bounds is not None else (0.5, 1.0)
    return _result(*_once(tr, "minimize_scalar", fun, ends[0], args))


@traced("scipy.optimize.newton")
def _newton(tr: Tracer, func: Any, x0: Any, fprime: Any = None, args: Any = (), **options: Any) -> Any:
    return _root(tr, "newton", func, x0, args, fprime)[0]


@traced("scipy.optimize.fsolve")
def _fsolve(tr: Tracer, func: Any, x0: Any, args: Any = (), fprime: Any = None, **options: Any) -> Any:
    found = _root(tr, "fsolve", func, x0, args, fprime)[0]
    return _single(found) if type(found) is NumpyFloat else found


class Single(NumpyFloat):
    """The one entry of an array that holds no more: a number that may be taken out, ``fsolve(f, 1.0)[0]``."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        if raw(key) not in (0, -1):
            raise IndexError(f"index {raw(key)} is out of bounds for axis 0 with size 1")
        return number(self.tr, self.raw, self.step, self.flavour)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Any:
        return iter((self[0],))


def _single(value: Any) -> Single:
    made = float.__new__(Single, value.raw)
    made.tr, made.step = value.tr, value.step
    return made


@traced(*(f"scipy.optimize.{name}" for name in ("brentq", "brenth", "bisect", "ridder", "toms748")))
def _brentq(tr: Tracer, f: Any, a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    return _root(tr, "brentq", f, a, args, end=b)[0]


@traced("scipy.optimize.fmin", "scipy.optimize.fmin_powell")
def _fmin(tr: Tracer, func: Any, x0: Any, args: Any = (), **options: Any) -> Any:
    return _once(tr, "fmin", func, x0, args)[0]


def _searched(name: str, *, both: bool) -> None:
    """An older optimiser: ``fmin_bfgs(f, x0, fprime, args)``, which gives where it ended.

    Args:
        both: without ``fprime`` the function gives the value and the gradient, unless ``approx_grad`` is said.
    """

    def call(tr: Tracer, func: Any = None, x0: Any = None, fprime: Any = None, args: Any = (), **options: Any) -> Any:
        slope_too = both and fprime is None and not options.get("approx_grad")
        start, value, slope = _once(tr, name, options.get("f", func), x0, args, True if slope_too else fprime)
        if name == "fmin_l_bfgs_b":
            return start, value, {"grad": slope, "warnflag": 0, "nit": 0}
        return (start, 1, 0) if name == "fmin_tnc" else start

    HANDLERS[f"scipy.optimize.{name}"] = call


for _name in ("fmin_bfgs", "fmin_cg", "fmin_ncg", "fmin_l_bfgs_b", "fmin_tnc"):
    _searched(_name, both=_name in ("fmin_l_bfgs_b", "fmin_tnc"))


@traced("scipy.optimize.curve_fit")
def _curve_fit(tr: Tracer, f: Any, xdata: Any, ydata: Any, p0: Any = None, *args: Any, **options: Any) -> Any:
    if p0 is None:
        tr.unsupported("scipy.optimize.curve_fit without p0")
    start = _started(tr, p0, "p0")
    passed = [start[n] for n in range(len(start))]
    tr.note("scipy.optimize.curve_fit is not run: its functions are called once, where it begins")
    found = f(xdata, *passed)
    if callable(options.get("jac")) and isinstance(start, Value) and start.step is not None:
        claimed_jacobian(tr, options["jac"](xdata, *passed), found, start.step)
    data = np.asarray(start.raw if isinstance(start, Value) else start)
    return start, Array(tr, np.eye(data.size))
