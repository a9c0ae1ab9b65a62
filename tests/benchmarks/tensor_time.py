"""How long the diagnosis of a recurrent net in NumPy takes: against running it, by its steps, and against gradcheck.

    python -m tests.benchmarks.tensor_time [limit in seconds] [--quick]

The net is the one of ``examples/vanilla_rnn.py``, both of its mistakes in it, without its twin in torch.

* **cost**: hidden size 64 and 100 steps, as a whole process, against one forward and backward pass of it in plain
  Python (goal of the issue: at most 10 times that, and 2 s);
* **growth**: 25, 50, 100 and 200 steps, inside one process, and the ratio of each to the one before (linear: about 2);
* **gradcheck**: ``torch.autograd.gradcheck`` in its slow mode on the same net in torch, hidden sizes 8, 32, 128.

What takes longer than the limit (300 s) is cut off, and said to. ``--quick`` leaves out the largest of each.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.timing import record, version

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "vanilla_rnn.py"
#: Of the comparison with gradcheck, which costs two forward passes a parameter.
FEW_STEPS = 20

_DIAGNOSE = """
import sys, time
from symgrad.manual import check_source
import symgrad.arrays
source = sys.stdin.read()
begin = time.perf_counter()
report = check_source(source, sandbox=False)
print(time.perf_counter() - begin, len([f for f in report.findings if f.root]))
"""

_GRADCHECK = """
import sys, time
import torch
hidden, steps = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
shapes = [(hidden, 1), (hidden,), (hidden, hidden), (hidden,), (1, hidden), (1,)]
weights = [(torch.randn(s, dtype=torch.float64) / hidden**0.5).requires_grad_() for s in shapes]
xs, target = torch.randn(steps, 1, dtype=torch.float64), torch.tensor([0.7], dtype=torch.float64)

def loss(W_x, b_x, W_h, b_h, W_y, b_y):
    h = torch.zeros(hidden, dtype=torch.float64)
    for x in xs:
        h = torch.tanh(W_x @ x + b_x + W_h @ h + b_h)
    return torch.sum((W_y @ h + b_y - target) ** 2)

begin = time.perf_counter()
torch.autograd.gradcheck(loss, weights, fast_mode=False)
print(time.perf_counter() - begin)
"""


def script(hidden: int, steps: int) -> str:
    """The example with another size, without torch."""
    text = EXAMPLE.read_text(encoding="utf-8")
    text = text[: text.index("weights = [")].replace("import torch\n", "")
    text = text.replace("VanillaRNN(3,", f"VanillaRNN({hidden},")
    made, n = re.subn(r"^xs = .*$", f"xs = np.random.randn({steps}, 1)", text, flags=re.MULTILINE)
    if n != 1 or f"VanillaRNN({hidden}," not in made:
        raise RuntimeError(f"{EXAMPLE.name} is not what this benchmark expects")
    return made


def plain(hidden: int, steps: int, runs: int = 5) -> float:
    """Seconds of one forward and backward pass in plain Python: the best of several."""
    code = compile(script(hidden, steps), "vanilla_rnn.py", "exec")
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        exec(code, {"__name__": "__main__"})
        times.append(time.perf_counter() - begin)
    return min(times)


def _run(code: str, limit: float, *arguments: str, text: str = "") -> list[float]:
    """What a process prints, as numbers; nothing where it was cut off, or failed, which is printed."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return []
    if done.returncode:
        print(f"failed: {done.stderr.strip().splitlines()[-1][:200]}")
        return []
    return [float(x) for x in done.stdout.split()]


def diagnosis(hidden: int, steps: int, limit: float) -> tuple[float | None, int]:
    """Seconds in one process, imports left out, and how many mistakes were found."""
    found = _run(_DIAGNOSE, limit, text=script(hidden, steps))
    return (found[0], int(found[1])) if found else (None, 0)


def whole(hidden: int, steps: int, limit: float) -> float | None:
    """Seconds of the command, from start to exit."""
    path = Path(EXAMPLE.parent / f".vanilla_rnn_{hidden}_{steps}.py")
    path.write_text(script(hidden, steps), encoding="utf-8")
    try:
        begin = time.perf_counter()
        command = [sys.executable, "-m", "symgrad", str(path), "--timeout", str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        if done.returncode != 1:  # there are two mistakes in it
            print(f"exit code {done.returncode}: {done.stderr.strip()[:200]}")
            return None
        return time.perf_counter() - begin
    except subprocess.TimeoutExpired:
        return None
    finally:
        path.unlink()


def _seconds(value: float | None, limit: float) -> str:
    return f"{value:8.2f} s" if value is not None else f"over {limit:.0f} s, or failed"


def main(limit: float = 300.0, *, quick: bool = False) -> int:
    """Print the three comparisons; 1 where the goal of the first is missed."""
    numpy = plain(64, 100)
    seconds = whole(64, 100, limit)
    allowed = 10 * numpy + 2
    print(f"one pass in NumPy, 64 hidden, 100 steps   {numpy:8.4f} s")
    print(
        f"symgrad on it, the whole command          {_seconds(seconds, limit)} (goal: at most {allowed:.2f} s)",
        flush=True,
    )
    record("tensor_time", "recurrent net, 64 hidden, 100 steps: seconds", seconds, goal=f"at most {allowed:.1f}")
    before: float | None = None
    for steps in (25, 50, 100) if quick else (25, 50, 100, 200):
        took, found = diagnosis(64, steps, limit)
        ratio = f"{took / before:5.2f} times the one before" if took and before else ""
        print(f"{steps:4d} steps: {_seconds(took, limit)}, {found} mistakes found  {ratio}", flush=True)
        before = took
        if took is None:
            break
    for hidden in (8, 32) if quick else (8, 32, 128):
        took, found = diagnosis(hidden, FEW_STEPS, limit)
        checked = _run(_GRADCHECK, limit, str(hidden), str(FEW_STEPS))
        other = checked[0] if checked else None
        ratio = f"gradcheck takes {other / took:.2f} times as long" if took and other else ""
        share = other / took if took and other else None
        record("tensor_time", f"recurrent net, {hidden} hidden: gradcheck / symgrad", share, peer=version("torch"))
        line = f"{hidden:4d} hidden, {FEW_STEPS} steps: symgrad {_seconds(took, limit)}"
        print(f"{line}, gradcheck {_seconds(other, limit)}  {ratio}", flush=True)
    return 0 if seconds is not None and seconds <= allowed else 1


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2]), quick="--quick" in sys.argv))
