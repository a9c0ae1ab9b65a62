"""How long an answer takes from a cold start, against importing the libraries alone.

    python -m tests.benchmarks.startup [runs]
"""

from __future__ import annotations

import sys

from tests.benchmarks.timing import interleaved, python, record, symgrad

FLAGSHIP = "40*tanh(w*tanh(w*0.5))"

#: What is measured, its peer, and the ratio that the MAIN JOB issue sets as the goal.
CASES = (
    ("flagship --at w=2", "import torch, sympy", 1.25),
    ("flagship --latex", "import sympy", 2.0),
)


def main(runs: int = 9) -> None:
    commands = {
        "import torch, sympy": python("import torch, sympy"),
        "import sympy": python("import sympy"),
        "nothing": python("pass"),
        "flagship --at w=2": symgrad(FLAGSHIP, "--at", "w=2"),
        "flagship --latex": symgrad(FLAGSHIP, "--latex"),
        "--help": symgrad("--help"),
    }
    medians = interleaved(commands, runs)
    for name, seconds in medians.items():
        print(f"{name:24} {seconds:7.3f} s")
    for name, peer, goal in CASES:
        ratio = medians[name] / medians[peer]
        print(f"{name} / {peer}: {ratio:.2f} (goal: at most {goal})")
        record("startup", f"{name} / {peer}", ratio, peer=peer, goal=f"at most {goal}", seconds=medians[name])


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
