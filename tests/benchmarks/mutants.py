"""The mutation benchmark of hand-written scalar derivations: ``python -m tests.benchmarks.mutants``.

From the corpus of correct derivations it makes mutants (one and two mistakes at a time) and equivalent rewrites, has
symgrad check each, and prints what it measures:

* **right line**: mutants where the set of reported root lines is exactly the set of mutated lines (which line that
  is, `cases` says);
* **every mutant of a pair found**: pairs where both mutated lines are among the reported root lines;
* **right factor**: singles with the right line where, besides, the finding points into the right factor. By the
  edit's scope:

  * a piece was changed: the reported range overlaps the changed piece and stays inside the factor that holds it
    (a factor of a product that is a term of the line's sum), parentheses included; a sign belongs to no factor, so for
    one that is called a sign the whole term will do, and any factor of it whose fix, put in its place and run, is right
    (-sin(u) is d cos(u)/du: the minus that ``-l*sin(u)`` lost is that factor's as much as it is l's); of two equal
    pieces of one term (e*e for e*x, e.item() is e) either will do. A chain-rule factor need not be a single operand:
    3*y**2 is d(y**3)/dy, and -u/v is d(u/v)/dv gone wrong. So a range that holds no gradient, only forward variables
    and numbers, and that is named as a local derivative, may be a product within the term, if its fix, put in its
    place and run, is right;
  * a piece was left out: every variable of the piece is named in the finding's factor, expected or fix; where it
    holds no variable (a constant), the reported kind of mistake is one of the edit's;
  * the line as a whole was changed (its scale, its sign, ``=`` for ``+=``): the range lies on it, and the reported
    kind of mistake is one of the edit's;

* **factor touched**: the same by a loose measure, to see how much of what is missing is a matter of precision: the
  range overlaps the changed piece, or the finding's factor, expected and fix name every variable that stood there;
* **right kind**: singles with the right line where the reported kind of mistake is one that describes the edit.
  Whatever is done to a place in a list (``hs[t - 1]`` or ``hs[1]`` for ``hs[t + 1]``), another entry is read, so that
  a wrong time step or variable describes it as well, and it is a piece that was changed, though something was left out
  of it; half of a line (``0.5*(y - t)``, of (y - t)**2/2) may be called a missing factor 2 as well as one too many;
* **verified fix**: singles with the right line whose finding carries a fix that symgrad says it verified;
* **fix confirmed**: those where the benchmark itself put the fix in place of the reported range (or of the value, or
  of the line, or as a line of its own) and the script's derivatives came out right at every point;
* **false alarms**: correct scripts, the corpus and the rewrites, with any finding at all; a script that symgrad
  could not use counts as one too, apart.

Every percentage is of all the mutants of its kind, so a missed line is a missed factor and a missed fix.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import random
import re
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from types import FrameType

from tests.benchmarks.cases import SEED, Case, Mutant, everything
from tests.benchmarks.corpus import Derivation
from tests.benchmarks.mutation import ABSENT, LOCAL, Edit, value_of
from tests.benchmarks.timing import record

#: No finding is named by what every script holds.
NO_NAMES = frozenset({"math", "np", "numpy", "torch", "item", "if", "else"})


@dataclass(frozen=True)
class Finding:
    """What the benchmark asks of a finding; columns are 1-based, ends exclusive."""

    line: int
    column: int
    end_column: int
    factor: str
    expected: str
    mistake: str
    fix: str
    fix_verified: bool
    root: bool
    message: str


def check(source: str) -> list[Finding]:
    """symgrad's findings in a script: the one place that knows its interface."""
    from symgrad.manual import check_source

    report = check_source(source, filename="derivation.py", sandbox=False)
    return [
        Finding(
            line=f.line or 0,
            column=f.column or 1,
            end_column=f.end_column or 1,
            factor=str(f.factor or ""),
            expected=str(f.expected or ""),
            mistake=str(f.mistake),
            fix=str(f.fix or ""),
            fix_verified=bool(f.fix_verified),
            root=bool(f.root),
            message=str(f.message),
        )
        for f in report.findings
    ]


@dataclass(frozen=True)
class Result:
    """One case, checked."""

    case: Case
    findings: tuple[Finding, ...]
    error: str
    seconds: float
    line: bool = False
    found: bool = False
    factor: bool = False
    touched: bool = False
    kind: bool = False
    fix: bool = False
    confirmed: bool = False

    @property
    def right(self) -> bool:
        """A mutant with its lines and factors named, or a correct script left in peace."""
        return (self.line and self.factor) if isinstance(self.case, Mutant) else not self.findings and not self.error


def judge(case: Case, findings: Sequence[Finding], error: str = "", seconds: float = 0.0) -> Result:
    """Hold the findings against what was done to the script."""
    if not isinstance(case, Mutant):
        return Result(case, tuple(findings), error, seconds)
    roots = [f for f in findings if f.root]
    lines = {f.line for f in roots}
    taken = [sorted(lines & accepted) for accepted in case.accepted]
    line = len(lines) == len(case.edits) and any(set(choice) == lines for choice in product(*taken))
    if not line:
        return Result(case, tuple(findings), error, seconds, found=all(taken))
    at = [
        (meant(edit, f.line), [f])
        for edit, ok in zip(case.edits, case.accepted, strict=True)
        for f in roots
        if f.line in ok
    ]
    return Result(
        case, tuple(findings), error, seconds,
        line=True,
        found=True,
        factor=all(any(names_factor(case, edit, f) for f in there) for edit, there in at),
        touched=all(any(touches_factor(case, edit, f) for f in there) for edit, there in at),
        kind=all(any(f.mistake in edit.mistakes for f in there) for edit, there in at),
        fix=all(f.fix and f.fix_verified for f in roots),
        confirmed=confirms(case, roots),
    )  # fmt: skip


def meant(edit: Edit, line: int) -> Edit:
    """The edit that a finding in some line is held against: its twin, where that is the one in this line."""
    if line in (edit.line, *edit.instead):
        return edit
    return next((t for t in edit.twins if t.line == line), edit)


def names_factor(case: Mutant, edit: Edit, finding: Finding) -> bool:
    """Whether the finding points into the right factor; this page's head says what that means."""
    if edit.scope == ABSENT:
        names = _identifiers(edit.dropped)
        said = _identifiers(" ".join((finding.factor, finding.expected, finding.fix)))
        return names <= said if names else finding.mistake in edit.mistakes
    caret = (finding.column - 1, finding.end_column - 1)
    if edit.scope == LOCAL:
        begin, end = edit.column, edit.column + len(edit.text)
        line = case.source.split("\n")[edit.line - 1]
        if finding.mistake == "sign" and "sign" in edit.mistakes:
            a, b = _factor(line, begin, end, products=False)
            if a <= caret[0] and caret[1] <= b and confirms(case, [finding]):
                return True
        else:
            a, b = _factor(line, begin, end)
        found = line[caret[0] : caret[1]].removesuffix(".item()")
        if found == edit.text.removesuffix(".item()") and caret[0] != begin:
            a, b = _factor(line, begin, end, products=False)
            return a <= caret[0] and caret[1] <= b and confirms(case, [finding])
        if finding.factor.startswith("d") and "/d" in finding.factor and not _manual_names(case) & _identifiers(found):
            term = _factor(line, begin, end, products=False)
            inside = term[0] - 1 <= caret[0] < end and begin < caret[1] <= term[1] + 1
            if inside and confirms(case, [finding]):
                return True
        return caret[0] < end and begin < caret[1] and a - 1 <= caret[0] and caret[1] <= b + 1
    return finding.mistake in edit.mistakes and caret[1] > caret[0]


def touches_factor(case: Mutant, edit: Edit, finding: Finding) -> bool:
    """The loose measure."""
    begin, end = edit.column, edit.column + max(len(edit.text), 1)
    was = case.case.source.split("\n")[edit.line - 1][edit.column : edit.end]
    names = _identifiers(edit.dropped or was)
    said = _identifiers(" ".join((finding.factor, finding.expected, finding.fix)))
    overlaps = finding.line == edit.line and finding.column - 1 < end and begin < finding.end_column - 1
    return overlaps or bool(names and names <= said)


def _manual_names(case: Mutant) -> set[str]:
    """What the manual part gives values to: gradients, for the most part."""
    lines = case.source.split("\n")[case.case.first :]
    return {m[1] for line in lines if (m := re.match(r"\s*([A-Za-z_][\w.]*)[^=()]*=(?!=)", line))}


def _identifiers(text: str) -> set[str]:
    """The variables of a text, without the functions that are called."""
    return set(re.findall(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\()", text)) - NO_NAMES


def _factor(line: str, begin: int, end: int, *, products: bool = True) -> tuple[int, int]:
    """The columns of the factor that holds a piece of the line: into its sum first, then into its products."""
    shift = len(line) - len(line.lstrip())
    stmt = ast.parse(line.strip()).body[0]
    node = value_of(stmt)
    if isinstance(node, ast.Lambda):
        node = node.body
    assert node is not None
    for ops in ((ast.Add, ast.Sub), (ast.Mult, ast.Div))[: 2 if products else 1]:
        while True:
            match node:
                case ast.BinOp(left, op, right) if isinstance(op, ops):
                    parts = [left, right]
                case ast.UnaryOp(ast.USub(), operand) if products:
                    parts = [operand]
                case _:
                    break
            inner = [p for p in parts if p.col_offset + shift <= begin and end <= (p.end_col_offset or 0) + shift]
            if not inner:
                break
            node = inner[0]
    return node.col_offset + shift, (node.end_col_offset or 0) + shift


def confirms(case: Mutant, roots: Sequence[Finding]) -> bool:
    """Whether the fixes, put in their places, make the script's derivatives right at every point."""
    lines = case.source.split("\n")
    options: list[list[tuple[int, str]]] = []
    for f in roots:
        if not f.fix or not 1 <= f.line <= len(lines):
            return False
        line = lines[f.line - 1]
        a, b = f.column - 1, f.end_column - 1
        indent = line[: len(line) - len(line.lstrip())]
        new = [line[:a] + f"({f.fix})" + line[b:], line[:a] + f.fix + line[b:], indent + f.fix]
        head = re.match(r"\s*(?:return|\S+ *[-+*/]?=) ?", line)
        if head:
            new.append(head[0] + f"({f.fix})")
        more = [(f.line, text) for text in new]
        if re.match(r"[\w.]+(?:\[.*\])? [-+]= ", f.fix):
            # A statement that was missing: a line of its own, after one of the script's.
            for n, before in enumerate(lines, 1):
                more.append((n, f"{before}\n{before[: len(before) - len(before.lstrip())]}{f.fix}"))
        options.append(more)
    for choice in product(*options):
        changed = list(lines)
        for number, text in choice:
            changed[number - 1] = text
        if case.is_right("\n".join(changed)):
            return True
    return False


def _alarm(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("the check did not end in time")


def run_case(case: Case, checker: Callable[[str], list[Finding]] = check, timeout: int = 60) -> Result:
    """Check one case and judge it; whatever is raised is this case's failure."""
    began, findings, error = time.perf_counter(), [], ""
    # Of the processor: a machine that others use as well does not make a check slow.
    signal.signal(signal.SIGPROF, _alarm)
    signal.setitimer(signal.ITIMER_PROF, timeout)
    try:
        findings = checker(case.source)
    except Exception as e:
        error = f"{type(e).__name__}: {e}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return judge(case, findings, error, time.perf_counter() - began)


def run_cases(cases: Sequence[Case], jobs: int = 1, progress: bool = False) -> list[Result]:
    """All of them, in their order."""
    results = []
    pool = multiprocessing.Pool(jobs) if jobs > 1 else None
    for k, result in enumerate(pool.imap(run_case, cases, chunksize=4) if pool else map(run_case, cases), 1):
        results.append(result)
        if progress and k % 50 == 0:
            print(f"\r{k}/{len(cases)}", end="", file=sys.stderr, flush=True)
    if progress:
        print("\r", end="", file=sys.stderr)
    if pool:
        pool.close()
        pool.join()
    return results


def share(results: Sequence[Result], what: str) -> float:
    """The fraction of the results of which something holds."""
    return sum(getattr(r, what) for r in results) / len(results) if results else 1.0


def split(results: Sequence[Result]) -> tuple[list[Result], list[Result], list[Result], list[Result]]:
    """Singles, pairs, rewrites, corpus."""
    mutants = [r for r in results if isinstance(r.case, Mutant)]
    right = [r for r in results if not isinstance(r.case, Mutant)]
    return (
        [r for r in mutants if len(r.case.edits) == 1],  # type: ignore[union-attr]
        [r for r in mutants if len(r.case.edits) == 2],  # type: ignore[union-attr]
        [r for r in right if not isinstance(r.case, Derivation)],
        [r for r in right if isinstance(r.case, Derivation)],
    )


def _percent(results: Sequence[Result], what: str) -> str:
    return f"{sum(getattr(r, what) for r in results):5d}/{len(results):<5d} {100 * share(results, what):6.2f} %"


def _table(title: str, groups: dict[str, list[Result]]) -> None:
    columns = ("line", "factor", "kind", "fix", "confirmed")
    print(f"\n{title:28s} {'n':>5s} " + " ".join(f"{c:>10s}" for c in columns))
    for key in sorted(groups):
        got = groups[key]
        print(f"{key:28s} {len(got):5d} " + " ".join(f"{100 * share(got, c):9.1f}%" for c in columns))


def show(results: Sequence[Result]) -> None:
    """Print what was measured."""
    one, two, rewrites, whole = split(results)
    hidden = sum(r.case.hidden for r in (*one, *two))  # type: ignore[union-attr]
    print(f"{len(one)} singles, {len(two)} pairs ({hidden} right at the inputs as written), ", end="")
    print(f"{len(rewrites)} rewrites, {len(whole)} correct derivations")
    print(f"right line                   {_percent([*one, *two], 'line')}")
    print(f"  of singles                 {_percent(one, 'line')}")
    print(f"  of pairs                   {_percent(two, 'line')}")
    print(f"every mutant of a pair found {_percent(two, 'found')}")
    print(f"right factor                 {_percent(one, 'factor')}")
    print(f"  touched, loosely           {_percent(one, 'touched')}")
    print(f"right kind of mistake        {_percent(one, 'kind')}")
    print(f"verified fix                 {_percent(one, 'fix')}")
    print(f"fix confirmed by running it  {_percent(one, 'confirmed')}")
    print(f"false alarms: rewrites       {sum(bool(r.findings) for r in rewrites):5d}/{len(rewrites)}")
    print(f"false alarms: corpus         {sum(bool(r.findings) for r in whole):5d}/{len(whole)}")
    for what, group in (("mutants", [*one, *two]), ("correct", [*rewrites, *whole])):
        print(f"not usable: {what}          {sum(bool(r.error) for r in group):5d}/{len(group)}")
    seconds = sorted(r.seconds for r in results)
    if seconds:
        print(f"seconds a case: median {seconds[len(seconds) // 2]:.3f}, worst {seconds[-1]:.3f}")
    by_operator: dict[str, list[Result]] = defaultdict(list)
    by_file: dict[str, list[Result]] = defaultdict(list)
    alarms: dict[str, list[Result]] = defaultdict(list)
    for r in (*one, *two):
        assert isinstance(r.case, Mutant)
        by_file[r.case.case.name].append(r)
        if len(r.case.edits) == 1:
            by_operator[r.case.edits[0].operator].append(r)
    for r in rewrites:
        for operator in r.case.operators:  # type: ignore[union-attr]
            alarms[operator].append(r)
    _table("singles by operator", by_operator)
    _table("mutants by file", by_file)
    print(f"\n{'rewrites by operator':28s} {'n':>5s} {'alarms':>10s}")
    for operator in sorted(alarms):
        print(f"{operator:28s} {len(alarms[operator]):5d} {sum(not r.right for r in alarms[operator]):10d}")


def explain(result: Result) -> None:
    """Print one case that went wrong: what was done, and what was said."""
    case = result.case
    print(f"\n--- {case.name}: {'; '.join(k for k in ('line', 'factor', 'kind', 'fix') if not getattr(result, k))}")
    if isinstance(case, Mutant):
        correct, mutated = case.case.source.split("\n"), case.source.split("\n")
        for e in case.edits:
            print(f"  {e.operator} ({e.description}; {e.mistakes[0]}), line {e.line}, or {list(e.instead)}, {e.scope}")
            print(f"    was: {correct[e.line - 1].strip()}\n    now: {mutated[e.line - 1].strip()}")
    else:
        print("  a correct script:")
        for k, line in enumerate(case.source.split("\n"), 1):
            print(f"    {k:3d} {line}")
    if result.error:
        print(f"  raised {result.error}")
    for f in result.findings:
        role = "root" if f.root else "inherited"
        print(f"  reported line {f.line}:{f.column}-{f.end_column} {role} {f.mistake}: {f.message}")
        print(f"    factor {f.factor!r} expected {f.expected!r} fix {f.fix!r} verified {f.fix_verified}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exits 1 where its goals are missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mutants", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"which mutants are drawn (default {SEED})")
    parser.add_argument("--limit", type=int, help="check only so many cases, drawn at random")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", default="", metavar="NAME", help="only files whose name contains this")
    parser.add_argument("--failures", type=int, default=0, metavar="N", help="show the first N cases that went wrong")
    options = parser.parse_args(argv)
    cases = list(everything(options.seed, options.only))
    if options.limit is not None and options.limit < len(cases):
        keep = set(random.Random(options.seed).sample(range(len(cases)), options.limit))
        cases = [case for k, case in enumerate(cases) if k in keep]
    results = run_cases(cases, options.jobs, progress=sys.stderr.isatty())
    show(results)
    wrong = [r for r in results if not r.right]
    for result in wrong[: options.failures]:
        explain(result)
    one, two, *correct = split(results)
    told = (("one mistake: right line", one, "line", 1), ("two: right lines", two, "line", 1),
            ("one mistake: verified fix", one, "fix", 0.9))  # fmt: skip
    for what, group, measure, goal in told:
        if group:
            record("mutants", f"{what}, of {len(group)}", share(group, measure), goal=f"at least {goal}")
    alarms = sum(not r.right for g in correct for r in g)
    record("mutants", "correct work with a finding", alarms, goal="at most 0")
    lines = share([*one, *two], "line") == 1
    peace = all(r.right for group in correct for r in group)
    return 0 if lines and peace and share(one, "factor") >= 0.98 and share(one, "fix") >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
