"""Every benchmark of this folder, one after the other, each in a process of its own.

    python -m tests.benchmarks [name ...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def present() -> list[str]:
    """The benchmarks: modules here that can be run by themselves."""
    files = sorted(p for p in HERE.glob("*.py") if not p.name.startswith("_"))
    return [p.stem for p in files if 'if __name__ == "__main__":' in p.read_text(encoding="utf-8")]


def main(names: list[str]) -> int:
    """Run the benchmarks of these names, or all; the worst exit code of any."""
    known = present()
    unknown = [n for n in names if n not in known]
    if unknown:
        print(f"no benchmark is called {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    worst = 0
    for name in names or known:
        print(f"== {name}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
