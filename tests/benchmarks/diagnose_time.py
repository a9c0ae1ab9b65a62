"""How long the diagnosis of a script takes from a cold start, against the flagship's derivation.

    python -m tests.benchmarks.diagnose_time [runs]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.startup import FLAGSHIP
from tests.benchmarks.timing import interleaved, symgrad

SCRIPT = Path(__file__).parent.parent.parent / "examples" / "recurrent_tanh.py"

#: The ratio that the MANUAL DERIVATIONS issue sets as the goal.
GOAL = 2.0


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
    print(f"{script} / {flagship}: {medians[script] / medians[flagship]:.2f} (goal: at most {GOAL})")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:2]))
