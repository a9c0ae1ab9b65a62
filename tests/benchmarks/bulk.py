"""A function and all its derivatives at ten million points: against what people would use instead.

    python -m tests.benchmarks.bulk [points]

In float32, one process. Peers: torch's autograd (eager), ``torch.func.vmap(grad)``, SymPy's derivative lambdified to
torch or as a module of sympytorch, and ``jax.jit(vmap(value_and_grad))``, where they are installed. A result counts
only when every derivative is within 1e-5 of symgrad's evaluation in float64, relative to it and to the largest one.
Memory is that of a process of its own, beyond inputs and results. Where torch sees a CUDA device, the one-variable
functions are measured there against copying as many bytes. Peers without a goal are measured at a fifth of the points.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.benchmarks.timing import race, record, version

POINTS = 10_000_000
#: name -> (text for symgrad, the same for a module of functions ``t``, how many variables).
CASES: dict[str, tuple[str, Callable[..., Any], int]] = {
    "flagship": ("40*tanh(w*tanh(w*0.5))", lambda t, w: 40 * t.tanh(w * t.tanh(w * 0.5)), 1),
    "softplus mix": (
        "softplus(x)*sigmoid(2x) + exp(-x^2)",
        lambda t, x: t.softplus(x) * t.sigmoid(2 * x) + t.exp(-(x * x)),
        1,
    ),
    "rational": ("(x^3 - 2x + 1)/(x^2 + 1)", lambda t, x: (x * x * x - 2 * x + 1) / (x * x + 1), 1),
    "8 variables": (
        "a*b + sin(c)*exp(d)/(1 + k^2) + log(1 + g^2)*tanh(h) - sqrt(1 + p^2)*a",
        lambda t, a, b, c, d, k, g, h, p: (
            a * b + t.sin(c) * t.exp(d) / (1 + k * k) + t.log(1 + g * g) * t.tanh(h) - t.sqrt(1 + p * p) * a
        ),
        8,
    ),
}

#: The peak is set back to what is held before the call; Linux alone can do so.
MEMORY = """
import torch, symgrad
def held(what):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what))/1024
n, variables = {n}, {variables}
values = [torch.linspace(-3.9, 4, n) for k in range(variables)]
f = symgrad.derive({text!r}).torch(value=True, compile={compile})
f(*(v[:200_000] for v in values))
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = held("VmRSS")
out = f(*values)
print(held("VmHWM") - before - (1 + variables)*4*n/2**20)
"""


class _Torch:
    """torch's functions under the names that NumPy-like code uses."""

    def __getattr__(self, name: str) -> Any:
        import torch

        return torch.nn.functional.softplus if name == "softplus" else getattr(torch, name)


def eager(function: Callable[..., Any], values: Sequence[Any]) -> Callable[[], tuple[Any, ...]]:
    """torch's autograd."""

    def run() -> tuple[Any, ...]:
        leaves = [v.detach().requires_grad_(True) for v in values]
        out = function(_Torch(), *leaves)
        out.sum().backward()
        return out.detach(), *(v.grad for v in leaves)

    return run


def vmapped(function: Callable[..., Any], values: Sequence[Any]) -> Callable[[], tuple[Any, ...]]:
    """``torch.func``, point by point."""
    import torch

    each = torch.func.grad_and_value(lambda *v: function(_Torch(), *v), argnums=tuple(range(len(values))))
    batched = torch.func.vmap(each)

    def run() -> tuple[Any, ...]:
        grads, out = batched(*values)
        return out, *grads

    return run


def derived(text: str) -> tuple[Any, list[Any]]:
    """SymPy's symbols, and the function with its own derivatives."""
    import sympy as sp

    import symgrad

    names = symgrad.derive(text).variables
    symbols = sp.symbols(names)
    words = {"softplus": lambda x: sp.log(1 + sp.exp(x)), "sigmoid": lambda x: 1 / (1 + sp.exp(-x))}
    plain = text.replace("^", "**").replace("2x", "2*x")
    expr = sp.sympify(plain, locals=words | dict(zip(names, symbols, strict=True)))
    return symbols, [expr, *(sp.diff(expr, s) for s in symbols)]


def lambdified(text: str, values: Sequence[Any]) -> Callable[[], tuple[Any, ...]]:
    """SymPy's own derivatives, printed for torch."""
    import sympy as sp
    import torch

    symbols, expressions = derived(text)
    run = sp.lambdify(symbols, expressions, modules=torch, cse=True)

    def spread() -> tuple[Any, ...]:
        return tuple(torch.as_tensor(v) for v in run(*values))

    return spread


def modules(text: str, values: Sequence[Any]) -> Callable[[], tuple[Any, ...]]:
    """sympytorch: one module of torch for all expressions."""
    import sympytorch
    import torch

    symbols, expressions = derived(text)
    module = sympytorch.SymPyModule(expressions=expressions)
    given = dict(zip(map(str, symbols), values, strict=True))

    def run() -> tuple[Any, ...]:
        with torch.no_grad():
            return module(**given).unbind(-1)

    return run


def jitted(function: Callable[..., Any], values: Sequence[Any]) -> Callable[[], tuple[Any, ...]]:
    """JAX."""
    import jax
    import jax.numpy as jnp

    class Words:
        def __getattr__(self, name: str) -> Any:
            return getattr(jax.nn, name) if name in ("softplus", "sigmoid") else getattr(jnp, name)

    given = [jnp.asarray(v.numpy()) for v in values]
    each = jax.value_and_grad(lambda *v: function(Words(), *v), argnums=tuple(range(len(values))))
    compiled = jax.jit(jax.vmap(each))

    def run() -> tuple[Any, ...]:
        out, grads = jax.block_until_ready(compiled(*given))
        return out, *grads

    return run


def equal(found: Sequence[Any], truth: Sequence[Any]) -> bool:
    """Every entry within 1e-5 of the truth and of the largest of it."""
    import numpy as np
    import torch

    for a, b in zip(found, truth, strict=True):
        mine = torch.from_numpy(np.array(a)) if not isinstance(a, torch.Tensor) else a
        allowed = 1e-5 * (b.abs() + b.abs().max())
        if not bool(((mine.double() - b).abs() <= allowed).all()):
            return False
    return True


#: Peers that have a goal; and those that are measured beside them, at a fifth of the points.
GOALS = {"autograd": "at least 8", "jax": "at least 1"}
OTHERS = ("blocks", "vmap", "lambdify", "sympytorch")


def one(name: str, points: int) -> None:
    """Measure one function, print its lines and record them."""
    import symgrad

    text, _, variables = CASES[name]
    n = points
    derivation = symgrad.derive(text)
    compiled = derivation.torch(value=True, compile=True)
    start = time.perf_counter()
    compiled(*arguments(5000, variables))
    compiling = time.perf_counter() - start
    mine = compare(name, n, tuple(GOALS), compiled)
    if mine is not None:
        bandwidth(name, n, variables, mine)
    compare(name, max(n // 5, 1), OTHERS, compiled)
    if variables > 1:
        # Here what autograd keeps in between is small enough to be used again: it clears no fresh pages.
        compare(name, max(n // 4, 1), ("autograd",), compiled, f", {max(n // 4, 1):,} points")
    print(f"{'':13} compiled in {compiling:.2f} s")
    for way in (True, False) if name in ("flagship", "8 variables") else ():
        code = MEMORY.format(n=n // (2 if variables == 1 else 8), variables=variables, text=text, compile=way)
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        print(f"{'':13} memory beyond inputs and results, {'compiled' if way else 'blocks'}: {float(out):.1f} MB")
        record("bulk", f"{name}: MB beyond inputs and results, {'compiled' if way else 'blocks'}", float(out),
               goal="at most 16")  # fmt: skip


def arguments(n: int, variables: int) -> list[Any]:
    """So many points of each variable."""
    import torch

    return [torch.linspace(-3.9, 4, n) + 0.125 * k for k in range(variables)]


def compare(
    name: str, n: int, peers: Sequence[str], compiled: Callable[..., Any], more: str = ""
) -> float | None:
    """Race symgrad against some peers, of which each must have the right results. What has ``more`` to its name is
    measured besides, and has no goal.

    Returns:
        The seconds that symgrad took; ``None`` where it was not equal within bounds.
    """
    import symgrad

    text, function, variables = CASES[name]
    values = arguments(n, variables)
    makers: dict[str, Callable[[], Callable[[], Any]]] = {
        "autograd": lambda: eager(function, values),
        "jax": lambda: jitted(function, values),
        "blocks": lambda: partial(symgrad.derive(text).torch(value=True, compile=False), *values),
        "vmap": lambda: vmapped(function, values),
        "lambdify": lambda: lambdified(text, values),
        "sympytorch": lambda: modules(text, values),
    }
    runs: dict[str, Callable[[], Any]] = {"symgrad": lambda: compiled(*values)}
    for who in peers:
        try:
            runs[who] = makers[who]()
        except ImportError:
            print(f"{who} is not installed: pip install '.[bench]'")
    truth = symgrad.derive(text).torch(value=True, dtype="float64")(*(v.double() for v in values))
    for who in list(runs):
        if not equal(runs[who](), truth):
            print(f"{name}: {who} is not equal within bounds; it is not timed")
            del runs[who]
    del truth
    seconds = race(runs)
    line = "  ".join(f"{who} {1000 * s:.0f} ms" for who, s in seconds.items())
    print(f"{name:13} {n:,} points: {line}", flush=True)
    packages = {"autograd": "torch", "vmap": "torch", "lambdify": "sympy", "sympytorch": "sympytorch", "jax": "jax"}
    for who in peers if "symgrad" in seconds else ():
        if who not in seconds:
            continue
        ratio, goal = seconds[who] / seconds["symgrad"], "" if more else GOALS.get(who, "")
        print(f"{'':13} {who} takes {ratio:.2f} times as long{f' (goal: {goal})' if goal else ''}")
        what = "symgrad without a compiler" if who == "blocks" else who
        record("bulk", f"{name}{more}: {what} / symgrad", ratio, peer=version(packages.get(who, "symgrad")), goal=goal,
               seconds=seconds[who], mine=seconds["symgrad"], points=n)  # fmt: skip
    return seconds.get("symgrad")


def bandwidth(name: str, n: int, variables: int, seconds: float) -> None:
    """What goes through memory, inputs and results, beside what a copy of as many bytes moves: there is no faster."""
    import torch

    moved = 4 * n * (1 + 2 * variables)
    source = torch.ones(moved // 8)
    target = torch.empty_like(source)
    copied = race({"copy": partial(target.copy_, source)})["copy"]
    print(f"{'':13} {moved / seconds / 1e9:.1f} GB/s go through memory; a copy moves {moved / copied / 1e9:.1f}")
    record("bulk", f"{name}: share of copy bandwidth", copied / seconds, points=n)


def on_cuda(points: int) -> None:
    """The one-variable functions on the GPU, as a share of its copy bandwidth."""
    import torch

    import symgrad

    if not torch.cuda.is_available():
        print("CUDA: torch sees no device; not run")
        record("bulk", "CUDA: not run, torch sees no device", None)
        return
    device = torch.cuda.get_device_name()
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        source = torch.linspace(-4, 4, points, dtype=dtype, device="cuda")
        target = torch.empty_like(source)
        for name, (text, _, variables) in CASES.items():
            if variables > 1:
                continue
            function = symgrad.derive(text).torch(compile=True)
            here = symgrad.derive(text).torch()(source[:: points // 1000].cpu())
            mine = function(source)[:: points // 1000].cpu()
            if not torch.allclose(mine, here, rtol=64 * torch.finfo(dtype).eps, atol=1e-6):
                print(f"CUDA {name}: not equal within bounds; not timed")
                continue

            def timed(run: Callable[[], Any]) -> Callable[[], None]:
                def synchronous() -> None:
                    run()
                    torch.cuda.synchronize()

                return synchronous

            runs = {"copy": timed(partial(target.copy_, source)), "symgrad": timed(partial(function, source))}
            seconds = race(runs, 9)
            share = seconds["copy"] / seconds["symgrad"]
            print(f"CUDA {device}: {name} {dtype}: {share:.2f} of the copy bandwidth (goal: at least 0.8)")
            record("bulk", f"CUDA {name} {dtype}: share of copy bandwidth", share, peer=device, goal="at least 0.8")


def main(points: int = POINTS) -> None:
    for name in CASES:
        one(name, points)
    on_cuda(points)


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
