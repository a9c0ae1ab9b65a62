"""The mutation benchmark of hand-written tensor passes: ``python -m tests.benchmarks.tensor_mutants``.

It measures what ``python -m tests.benchmarks.mutants`` measures for scalars, in the same way; see there for what counts
as the right line, the right factor or term, the right kind of mistake, a verified fix, and a false alarm. What is
different for arrays:

* mutants are those of MISTAKES.md section 1 (`tensor_mutation`); one counts where a gradient changes at a random point,
  or its shape does, while the loss stays (`tensor_cases`);
* where a product of matrices, a reduction, a count, a slice, the order of two lines or an index with duplicates is
  wrong, the mistake is the line's as a whole: the factor is right if the finding lies on the line and its kind of
  mistake is one that describes the edit;
* of two lines that changed places, exactly one must be reported; a line that was dropped is found there or at the line
  that last binds its target, and so is a return that came too early;
* a note without a place (that torch's random numbers are not reproduced) is no false alarm;
* **located**: edits after which the script raises must end as unusable (exit code 2), with the very line that raises,
  or with findings and a note of where it stopped.

``--json FILE`` writes every case that went wrong, with its source, what was edited and all that was reported.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.mutants import Finding, Result, check, explain, run_case, share, show, split
from tests.benchmarks.tensor_cases import (
    PAIRS,
    RAISING,
    REWRITES,
    SEED,
    SINGLES,
    Raising,
    TensorAny,
    TensorMutant,
    everything,
)
from tests.benchmarks.tensor_corpus import tensor_corpus
from tests.benchmarks.timing import record

#: Shares that the issue asks for: lines, factors or terms, fixes.
GOALS = (1.0, 0.95, 0.8)


@dataclass(frozen=True)
class Ended:
    """A script that raises, and how symgrad ended."""

    case: Raising
    message: str
    line: int
    code: int
    seconds: float

    @property
    def right(self) -> bool:
        """A located error, or what could be checked and where it stopped."""
        return self.line == self.case.line and self.code in (1, 2)


def end(case: Raising) -> Ended:
    """Check a script that raises."""
    from symgrad.errors import SymgradError
    from symgrad.manual import check_source

    began = time.perf_counter()
    try:
        report = check_source(case.source, filename="derivation.py", sandbox=False)
        stopped = [f for f in report.findings if f.code == "stopped"]
        message, line = (stopped[0].message, stopped[0].line or 0) if stopped else ("it did not stop", 0)
        code = report.exit_code
    except SymgradError as e:
        message, line, code = e.message, e.span.line if e.span else 0, 2
    except Exception as e:
        message, line, code = f"{type(e).__name__}: {e}", 0, 70
    return Ended(case, message, line, code, time.perf_counter() - began)


def run_one(case: TensorAny, timeout: int = 60) -> Result | Ended:
    """One case of any kind."""
    return end(case) if isinstance(case, Raising) else run_case(case, _placed, timeout)


def _placed(source: str) -> list[Finding]:
    """Findings without the notes of the trace that have no place: that its random numbers are its own."""
    return [f for f in check(source) if f.root or f.line]


def run_all(
    cases: Sequence[TensorAny], jobs: int = 1, progress: bool = False, into: Path | None = None, timeout: int = 60
) -> list[Result | Ended]:
    """All of them, in their order; with several jobs in forked processes that have everything imported."""
    import symgrad.manual  # noqa: F401  (once, before the fork)

    context = multiprocessing.get_context("fork")
    pool = context.Pool(jobs) if jobs > 1 else None
    results: list[Result | Ended] = []
    one = partial(run_one, timeout=timeout)
    found: Iterable[Result | Ended] = pool.imap(one, cases, chunksize=4) if pool else map(one, cases)
    for k, result in enumerate(found, 1):
        results.append(result)
        if into and k % 20 == 0:
            _write(into, results)
        if progress and k % 20 == 0:
            print(f"\r{k}/{len(cases)}", end="", file=sys.stderr, flush=True)
    if progress:
        print("\r", end="", file=sys.stderr)
    if pool:
        pool.close()
        pool.join()
    return results


def causes(results: Sequence[Result | Ended]) -> list[tuple[str, int, str]]:
    """What went wrong, grouped: the group, how many, and the first case. False alarms stand first."""
    groups: Counter[str] = Counter()
    first: dict[str, str] = {}
    for r in results:
        key = _cause(r)
        if key:
            groups[key] += 1
            first.setdefault(key, r.case.name)
    return [(key, n, first[key]) for key, n in sorted(groups.items(), key=lambda g: (g[0][:1], -g[1]))]


def _cause(r: Result | Ended) -> str:
    if isinstance(r, Ended):
        return "" if r.right else f"6 raises: exit {r.code}, line {'right' if r.line == r.case.line else 'wrong'}"
    if not isinstance(r.case, TensorMutant):
        if r.right:
            return ""
        said = r.error or "; ".join(sorted({f"{f.mistake} ({'root' if f.root else 'note'})" for f in r.findings}))
        return f"1 false alarm: {said[:110]}"
    operators = "+".join(e.operator for e in r.case.edits)
    if r.error:
        return f"2 unusable: {r.error[:110]}"
    if not r.line:
        lines = {f.line for f in r.findings if f.root}
        wanted = {n for a in r.case.accepted for n in a}
        what = "nothing reported" if not lines else "other lines besides" if lines & wanted else "other lines only"
        return f"3 line, {'pair' if len(r.case.edits) == 2 else operators}: {what}"
    if len(r.case.edits) == 2:
        return ""
    return (
        "" if r.factor and r.fix else f"{4 if not r.factor else 5} {'factor' if not r.factor else 'fix'}, {operators}"
    )


def failure(r: Result | Ended) -> dict[str, Any]:
    """One case that went wrong, as plain data."""
    out: dict[str, Any] = {"name": r.case.name, "cause": _cause(r)[2:], "seconds": round(r.seconds, 3)}
    if isinstance(r, Ended):
        return {**out, "line": r.case.line, "reported": r.line, "code": r.code, "raises": r.case.message,
                "message": r.message, "source": r.case.source}  # fmt: skip
    if isinstance(r.case, TensorMutant):
        was = r.case.case.source.split("\n")
        now = r.case.source.split("\n")
        out["edits"] = [
            {"line": e.line, "or": list(e.instead), "operator": e.operator, "kinds": list(e.mistakes),
             "description": e.description, "scope": e.scope, "was": was[e.line - 1].strip(),
             "now": now[e.line - 1].strip()}
            for e in r.case.edits
        ]  # fmt: skip
        out["missed"] = [k for k in ("line", "factor", "kind", "fix", "confirmed") if not getattr(r, k)]
    else:
        out["operators"] = list(getattr(r.case, "operators", ()))
    return {**out, "error": r.error, "findings": [asdict(f) for f in r.findings], "source": r.case.source}


def _write(into: Path, results: Sequence[Result | Ended]) -> None:
    into.write_text(json.dumps([failure(r) for r in results if _cause(r)], indent=1), encoding="utf-8")


def report(results: Sequence[Result | Ended]) -> bool:
    """Print what was measured; whether the goals are met."""
    checked = [r for r in results if isinstance(r, Result)]
    ended = [r for r in results if isinstance(r, Ended)]
    show(checked)
    right = sum(r.right for r in ended)
    print(f"\nlocated: {right}/{len(ended)} scripts that raise end with the right line")
    print("\nwhat went wrong, and how often")
    for key, n, first in causes(results):
        print(f"{n:5d}  {key[2:]:90s} {first}")
    one, two, *correct = split(checked)
    lines, factors, fixes = GOALS
    peace = all(r.right for group in correct for r in group) and right == len(ended)
    return (
        peace
        and share([*one, *two], "line") >= lines
        and share(one, "factor") >= factors
        and share(one, "fix") >= fixes
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exits 1 where its goals are missed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.tensor_mutants", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seed", type=int, default=SEED, help=f"which mutants are drawn (default {SEED})")
    parser.add_argument("--limit", type=int, help="check only so many cases, drawn at random")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--timeout", type=int, default=60, help="processor seconds that a case may take (default 60)")
    parser.add_argument("--only", default="", metavar="NAME", help="only files whose name contains this")
    parser.add_argument("--kinds", default="corpus,singles,pairs,raising,rewrites", help="which kinds of cases")
    parser.add_argument("--scale", type=float, default=1.0, help="how many cases a file gives, as a share of all")
    parser.add_argument("--failures", type=int, default=0, metavar="N", help="show the first N cases that went wrong")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every case that went wrong")
    options = parser.parse_args(argv)
    counts = [max(1, round(n * options.scale)) for n in (SINGLES, PAIRS, RAISING, REWRITES)]
    kinds = options.kinds.split(",")
    if options.limit is not None:
        # Making cases takes time, too: no more than are needed are made.
        enough = max(1, 2 * options.limit // len(tensor_corpus()))
        counts = [min(n, enough) for n in counts]
    cases = list(everything(options.seed, options.only, (counts[0], counts[1], counts[2], counts[3]), kinds))
    if options.limit is not None and options.limit < len(cases):
        keep = set(random.Random(options.seed).sample(range(len(cases)), options.limit))
        cases = [case for k, case in enumerate(cases) if k in keep]
    results = run_all(cases, options.jobs, progress=sys.stderr.isatty(), into=options.json, timeout=options.timeout)
    met = report(results)
    one = [r for r in results if isinstance(r, Result) and isinstance(r.case, TensorMutant) and len(r.case.edits) == 1]
    if one:
        what = f"one mistake in arrays: right line, of {len(one)}"
        record("tensor_mutants", what, share(one, "line"), goal="at least 1")
    wrong = [r for r in results if _cause(r)]
    for result in wrong[: options.failures]:
        if isinstance(result, Result):
            explain(result)
        else:
            print(f"\n--- {result.case.name}: raises {result.case.message}\n  reported {result.line}: {result.message}")
    if options.json:
        _write(options.json, results)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
