"""How long the diagnosis of a script takes from a cold start, against the flagship's derivation; and of long loops.

    python -m tests.benchmarks.diagnose_time [runs]
    python -m tests.benchmarks.diagnose_time loops [steps ...]

The second form diagnoses a recurrence of so many steps (250, 500 and 1,000) with its whole reverse pass, once as it
should be and once for each of some mistakes in one line, as whole processes, in seconds of processor time (the machine
may be shared); it says whether exactly that line is blamed, and exits 1 where not or where a run takes longer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.startup import FLAGSHIP
from tests.benchmarks.timing import interleaved, record, symgrad

SCRIPT = Path(__file__).parent.parent.parent / "examples" / "recurrent_tanh.py"

#: The ratio that the MANUAL DERIVATIONS issue sets as the goal.
GOAL = 2.0


#: Seconds that a recurrence of 1,000 steps may take, right or wrong.
LONGEST = 10.0

RECURRENCE = """import math
w = 0.9
u = 0.4
b = 0.05
h = 0.1
hs = [h]
xs = [0.3*((7*i) % 11)/11 - 0.1 for i in range(STEPS)]
for t in range(STEPS):
    h = math.tanh(w*h + u*xs[t] + b)
    hs.append(h)
loss = 0.5*(h - 0.2)**2
dh = h - 0.2
dw = 0.0
du = 0.0
db = 0.0
for t in range(STEPS - 1, -1, -1):
    dz = (1 - hs[t+1]**2)*dh
    dw += dz*hs[t]
    du += dz*xs[t]
    db += dz
    dh = w*dz
print(dw, du, db)
"""
#: The mistake -> what is replaced by what.
MISTAKES = {
    "none": ("", ""),
    "input for output": ("(1 - hs[t+1]**2)*dh", "(1 - hs[t]**2)*dh"),
    "another step in time": ("dw += dz*hs[t]", "dw += dz*hs[t+1]"),
    "another weight": ("dh = w*dz", "dh = u*dz"),
    "= for +=": ("db += dz", "db = dz"),
    "power left out": ("hs[t+1]**2)*dh", "hs[t+1])*dh"),
    "sign": ("dh = w*dz", "dh = -w*dz"),
    "factor left out": ("dh = w*dz", "dh = dz"),
}


def loops(steps: Sequence[int] = (250, 500, 1000)) -> bool:
    """Time the recurrence at each length, right and wrong; true if all is as it should be."""
    good = True
    print(f"{'processor seconds':24}" + "".join(f"{n:>10}" for n in steps))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loop.py"
        for name, (old, new) in MISTAKES.items():
            row, lines = "", [RECURRENCE[: RECURRENCE.index(old)].count("\n") + 1] if old else []
            for n in steps:
                path.write_text((RECURRENCE.replace(old, new) if old else RECURRENCE).replace("STEPS", str(n)))
                before = os.times()
                command = symgrad("check", str(path), "--json", "--timeout", "120")
                run = subprocess.run(command, capture_output=True, text=True, check=False)
                after = os.times()
                seconds = sum(after[2:4]) - sum(before[2:4])
                found = [f["line"] for f in json.loads(run.stdout)["findings"] if f["root"]]
                good = good and found == lines and (seconds <= LONGEST or n > 1000)
                record("diagnose_time", f"loop of {n} steps, {name}: seconds", seconds, goal=f"at most {LONGEST:g}",
                       right=found == lines)  # fmt: skip
                row += f"{seconds:9.1f}{' ' if found == lines else '!'}"
            print(f"{name:24}{row}", flush=True)
    print(f"goal: exactly the wrong line, at most {LONGEST} s for 1,000 steps: {'met' if good else 'missed'}")
    return good


def main(runs: int = 9) -> None:
    script, flagship = "check recurrent_tanh.py", "flagship --at w=2"
    commands = {
        script: symgrad("check", str(SCRIPT)),
        f"{script} --witnesses": symgrad("check", str(SCRIPT), "--witnesses"),
        flagship: symgrad(FLAGSHIP, "--at", "w=2"),
    }
    # The script holds mistakes, and saying so is exit code 1.
    medians = interleaved(commands, runs, {name: (1,) for name in commands if name != flagship})
    for name, seconds in medians.items():
        print(f"{name:36} {seconds:7.3f} s")
    ratio = medians[script] / medians[flagship]
    print(f"{script} / {flagship}: {ratio:.2f} (goal: at most {GOAL})")
    record("diagnose_time", f"{script} / {flagship}", ratio, peer="symgrad", goal=f"at most {GOAL:g}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["loops"]:
        sys.exit(0 if loops([int(a) for a in sys.argv[2:]] or (250, 500, 1000)) else 1)
    main(*(int(a) for a in sys.argv[1:2]))
