"""The command line. Options in, text or JSON out; every decision is made elsewhere."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import Any

import click

from symgrad import __version__
from symgrad.command import Command

EPILOG = """\b
Examples:
  symgrad "40*tanh(w*tanh(w*0.5))" --at w=2
  symgrad "q = x + y; f = q*z" --at x=-2,y=5,z=-4
  symgrad "sigmoid(x^2+z) + tanh(x^3 z^2)" --at x=3,z=2 --dtype float32
  symgrad "x^2 + x^3" --latex
  symgrad "x*tanh(x)" --at x=-9:9:1_000_000 --dtype float32
  symgrad my_derivation.py --html report.html --graph graph.svg
  symgrad "40*tanh(w*tanh(w/2))" --at w=-14:14 --dtype float32 --plot errors.png
  symgrad "sum(tanh(W @ x + b)**2)" --shape W=3x4 --shape x=4 --shape b=3
  symgrad "x*exp(x)" --at x=1 --manual "exp(x) + exp(x)"
  symgrad check my_derivation.py --diff
  symgrad check homework.ipynb
  symgrad grade submissions/ --assignment hw.toml --out results/     (symgrad grade --help)
  symgrad layers.py --forward affine_forward --backward affine_backward --shape x=4x3 --shape w=3x5 --shape b=5
  echo "x*y" | symgrad - --at x=4,y=-3

\b
Exit codes:
  0  every witness agrees (differences that are rounding included)
  1  a witness disagrees with the exact derivative
  2  the input could not be used, or there is no derivative at the point
  70 a bug in symgrad
"""


@click.command(cls=Command, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target")
@click.option("--at", "points", multiple=True, metavar="NAME=VALUE[,...]",
              help="The point: w=2, or x=pi/4,z=1e-3. A range: w=-4:4:10_000_000.")  # fmt: skip
@click.option("--shape", "shapes", multiple=True, metavar="NAME=AxB", help="NAME is an array: W=3x4, b=3.")
@click.option("--upstream", metavar="ARRAY", help="The gradient that flows into a result that is an array: [1,2,3].")
@click.option("--wrt", multiple=True, metavar="NAME", help="Differentiate by this variable only (may be repeated).")
@click.option("--order", type=click.IntRange(1, 2), default=1, show_default=True, help="2: second derivatives.")
@click.option("--dtype", default="float64", show_default=True, metavar="TYPE",
              help="float64, float32, bfloat16 or float16.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, metavar="DEVICE", help="cpu, cuda or cuda:N.")
@click.option("--simplify-seconds", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="S",
              help="Budget for simplification, as work that takes about S seconds.")  # fmt: skip
@click.option("--manual", multiple=True, metavar="[NAME=]FORMULA", help="Your own derivative, to be checked.")
@click.option("--forward", metavar="NAME", default="", help="For a file of functions: the forward pass.")
@click.option("--backward", metavar="NAME", default="", help="For a file of functions: the backward pass.")
@click.option("--value", "values", multiple=True, metavar="NAME=VALUE",
              help="For a file of functions: an input: y=0,2,1 or mode=train.")  # fmt: skip
@click.option("--returns", metavar="NAMES", help="For a file of functions: what backward returns: dx,dw.")
@click.option("--loss", metavar="NAME", help="For a script: the variable that is differentiated.")
@click.option("--map", "mapping", multiple=True, metavar="NAME=STEP",
              help="For a script: NAME holds the derivative of the loss by STEP.")  # fmt: skip
@click.option("--witnesses", is_flag=True, help="For a script: show autograd and the proven values too.")
@click.option("--diff", "as_diff", is_flag=True, help="Print the verified fixes as a unified diff.")
@click.option("--strict", is_flag=True, help="Conventions, such as a negative gradient, count as mistakes.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=20.0, show_default=True, metavar="S",
              help="For a script: how long it may run, and how long is looked for what is wrong.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--format", "kind", type=click.Choice(["text", "json", "github", "sarif"]), default="text",
              help="text, json, github (workflow annotations) or sarif (2.1.0).")  # fmt: skip
@click.option("--html", metavar="FILE", help="Write the report as one HTML file.")
@click.option("--graph", metavar="FILE", help="Draw the computation graph: .svg, .png, .pdf or .dot.")
@click.option("--plot", metavar="FILE", help="Plot over a range, --at w=-4:4: .png, .svg or .pdf.")
@click.option("--latex", "as_latex", is_flag=True, help="Print the derivation as a LaTeX align* environment.")
@click.option("--latex-document", is_flag=True, help="Print it as a LaTeX file that compiles.")
@click.option("--notation", type=click.Choice(["fraction", "bar", "d"]), default="fraction", show_default=True,
              help="In LaTeX, the gradient by X: dL/dX, a bar over X, or dX.")  # fmt: skip
@click.option("--emit", type=click.Choice(["numpy", "torch", "latex"]), metavar="LANGUAGE",
              help="Print the correct backward pass as source: numpy, torch or latex.")  # fmt: skip
@click.option("--unicode", is_flag=True, help="Print formulas with the signs of mathematics: 1 − u² for 1 - u**2.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colour the output.")
@click.version_option(__version__, prog_name="symgrad")
def main(
    target: str,
    points: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int,
    dtype: str,
    device: str,
    simplify_seconds: float,
    manual: tuple[str, ...],
    shapes: tuple[str, ...],
    upstream: str | None,
    as_json: bool,
    as_latex: bool,
    as_diff: bool,
    color: str,
    emit: str | None,
    kind: str,
    html: str | None,
    graph: str | None,
    plot: str | None,
    latex_document: bool,
    notation: str,
    unicode: bool,
    **script: Any,
) -> None:
    """Derive TARGET, an expression such as "x*tanh(x)", and check its derivative at a point.

    TARGET may hold several statements, "q = x+y; f = q*z"; the last one is the function. "-" reads standard input.
    Without --at the derivative is derived and printed, not evaluated. With --manual your own formula is checked, and
    the wrong factor named.

    TARGET may also be a Python script or a notebook (a path that ends in .py or .ipynb): then the derivative that it
    works out by hand is checked line by line. The script runs in a sandbox. "symgrad check FILE" is the same. Of a file
    that runs nothing, the forward and backward functions are found and called.
    """
    from symgrad.errors import InternalError, SymgradError

    # Importing torch and SymPy makes some million objects that live to the end; collecting among them again and
    # again is a tenth of the start-up.
    gc.set_threshold(200_000, 20, 20)
    kind = "json" if as_json else kind
    try:
        _refuse_two({
            "--json" if as_json else f"--format {kind}": kind != "text",
            "--latex-document" if latex_document else "--latex": as_latex or latex_document,
            "--diff": as_diff, "--emit": emit is not None, "--plot": plot is not None,
        })  # fmt: skip
        if graph or plot:
            from symgrad.outputs import check_names

            check_names({"graph": graph, "plot": plot})
        if not points:
            _refuse_paths(target)
        text = _standard_input() if target == "-" else target
        derive = {"at": points, "wrt": wrt, "order": order, "dtype": dtype, "device": device,
                  "simplify_seconds": simplify_seconds, "manual": manual,
                  "shapes": shapes, "upstream": upstream}  # fmt: skip
        if emit is not None:
            _emit(text, emit, derive, script)
        if plot is not None:
            _plot(text, plot, derive)
        report = _report(text, derive, script)
        if html or graph:
            from symgrad.outputs import write_files

            write_files(report, html, graph)
        latex = notation if as_latex or latex_document else ""
        _print(report, target, kind=kind, latex=latex, document=latex_document, as_diff=as_diff, color=color,
               unicode=unicode)  # fmt: skip
    except SymgradError as error:
        _refuse(error, target, kind)
    except UnicodeDecodeError as error:
        problem = SymgradError(f"standard input is not UTF-8 text: {error.reason} at byte {error.start}")
        _refuse(problem, target, kind)
    except InternalError as error:
        click.echo(f"symgrad: internal error, a bug in symgrad: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (`symgrad ... | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (KeyboardInterrupt, SystemExit, click.exceptions.Exit, click.ClickException):
        raise
    except Exception as error:
        if os.environ.get("SYMGRAD_TRACEBACK"):
            raise
        click.echo(f"symgrad: internal error, a bug in symgrad: {type(error).__name__}: {error}", err=True)
        click.echo("  = help: set SYMGRAD_TRACEBACK=1 to see where", err=True)
        sys.exit(InternalError.exit_code)


#: Options that only expressions of arrays have.
_OF_ARRAYS = ("shapes", "upstream")


def _report(text: str, derive: dict[str, Any], script: dict[str, Any]) -> Any:
    """Ask the right question about the target: an option of the other kind is refused, not ignored."""
    from symgrad.api import check, is_script
    from symgrad.errors import SymgradError

    context = click.get_current_context()
    given = {n for n in context.params if context.get_parameter_source(n) is click.core.ParameterSource.COMMANDLINE}
    spelled = {p.name: p.opts[0] for p in context.command.params}
    if is_script(text):
        for name in ("points", "wrt", "order", "dtype", "device", "manual"):
            if name in given:
                raise SymgradError(f"{spelled[name]} is for expressions; a script brings its own values")
        script = _of_functions(derive, script)
        mapping = {}
        for pair in script.pop("mapping"):
            name, equals, step = pair.partition("=")
            if not equals or not name.strip() or not step.strip():
                raise SymgradError(f"--map {pair!r}: write NAME=STEP, for example --map delta=h")
            mapping[name.strip()] = step.strip()
        return check(text, mapping=mapping, **script)
    for name in ("loss", "mapping", "timeout", "witnesses", "forward", "backward", "values", "returns"):
        if name in given:
            raise SymgradError(f"{spelled[name]} is for scripts, and the target is an expression")
    left_out = {"at", "wrt", "manual"} | {k for k in _OF_ARRAYS if not derive[k]}
    options = {k: v for k, v in derive.items() if k not in left_out}
    manual = _formulas(derive["manual"])
    if manual is not None:
        options["manual"] = manual
        options.pop("order")
        options["strict"] = script["strict"]
    points = list(derive["at"])
    if any(":" in point for point in points):
        return _swept(text, points, {**options, "wrt": list(derive["wrt"]) or None})
    return check(text, points or None, wrt=list(derive["wrt"]) or None, **options)


def _swept(text: str, points: list[str], options: dict[str, Any]) -> Any:
    """A range of points, with a bar on standard error where somebody is there to see it."""
    from symgrad.api import check
    from symgrad.errors import SymgradError

    wanted = click.get_current_context().params
    for name in ("as_latex", "as_diff", "latex_document", "html", "graph"):
        if wanted[name]:
            spelled = name.removeprefix("as_").replace("_", "-")
            raise SymgradError(f"--{spelled} and a range of points do not go together")
    if wanted["kind"] in ("github", "sarif"):
        raise SymgradError(f"--format {wanted['kind']} and a range of points do not go together")
    if not sys.stderr.isatty() or wanted["as_json"] or wanted["kind"] == "json":
        return check(text, points, **options)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        return check(text, points, progress=lambda done, all_: bar.update(task, completed=done, total=all_), **options)


def _of_functions(derive: dict[str, Any], script: dict[str, Any]) -> dict[str, Any]:
    """The options of a file, with what its functions are to be called with."""
    from symgrad.frontends.plan import read_shape, read_value

    returns = script.pop("returns")
    upstream = derive["upstream"]
    return {
        **script,
        "shapes": dict(map(read_shape, derive["shapes"])),
        "values": dict(map(read_value, script["values"])),
        "upstream": None if upstream is None else read_value(f"upstream={upstream}")[1],
        "returns": None if returns is None else [n.strip() for n in returns.split(",")],
    }


def _emit(text: str, language: str, derive: dict[str, Any], script: dict[str, Any]) -> None:
    """Print source instead of a report."""
    from symgrad.api import is_script
    from symgrad.emitting import emit_target

    options: dict[str, Any] = {k: list(derive[k]) for k in ("wrt", "shapes", "at") if derive[k]}
    if is_script(text):
        from symgrad.frontends.plan import Plan

        called = _of_functions(derive, {**script})
        plan = Plan(*(called[k] for k in ("forward", "backward", "shapes", "values", "upstream", "returns")))
        options = {"wrt": options.get("wrt", ()), "loss": script["loss"], "timeout": script["timeout"], "call": plan}
    click.echo(emit_target(text, language, **options), nl=False)
    sys.exit(0)


def _standard_input() -> str:
    """What is on standard input, as UTF-8 whatever the locale; of endless input no more than is needed to refuse it."""
    return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig").read(1_000_000)


def _formulas(given: tuple[str, ...]) -> Any:
    """``--manual FORMULA`` or ``--manual NAME=FORMULA``, repeated."""
    from symgrad.errors import SymgradError

    if not given:
        return None
    named: dict[str, str] = {}
    for text in given:
        name, equals, formula = text.partition("=")
        if name.strip() in named:
            raise SymgradError(f"--manual gives '{name.strip()}' twice")
        if equals and name.strip().isidentifier():
            named[name.strip()] = formula
        elif len(given) == 1:
            return text
        else:
            named[text] = ""
    return named


def _plot(text: str, path: str, derive: dict[str, Any]) -> None:
    """Draw a plot instead of a report, and say what it shows."""
    from symgrad.api import is_script
    from symgrad.errors import SymgradError
    from symgrad.outputs import write_plot

    if is_script(text):
        raise SymgradError("--plot is for expressions")
    manual = _formulas(derive["manual"])
    options = {k: derive[k] for k in ("dtype", "device")}
    click.echo(write_plot(text, derive["at"], path, manual=manual, **options), nl=False)
    sys.exit(0)


def _print(
    report: Any, target: str, *, kind: str, latex: str, document: bool, as_diff: bool, color: str, unicode: bool
) -> None:
    if as_diff:
        from symgrad.report.diagnostics import unified_diff

        click.echo(unified_diff(report), nl=False)
    elif latex:
        click.echo(report.latex(notation=latex, document=document), nl=not document)
    else:
        from symgrad.outputs import rendered

        colored = _colored(color)
        text = rendered(report, kind, path=_path(target), width=_width(), color=colored, unicode=unicode)
        click.echo(text, nl=False, color=True)
    sys.exit(report.exit_code)


def _refuse_two(asked: dict[str, bool]) -> None:
    """Each of these is all that is printed."""
    from symgrad.errors import SymgradError

    first, *others = (option for option, wanted in asked.items() if wanted) if any(asked.values()) else ("",)
    if others:
        raise SymgradError(f"{first} and {others[0]} do not go together: each prints something else")


def _refuse_paths(target: str) -> None:
    """A folder, or a file that is no Python, is no expression either: ``symgrad homework`` is not about a variable."""
    from symgrad.api import is_code
    from symgrad.errors import SymgradError

    if os.path.isdir(target):
        hint = f"of many submissions: symgrad grade --help. If '{target}' is meant as an expression: ({target})"
        raise SymgradError(f"'{target}' is a folder: name a file in it", hint=hint)
    if os.path.isfile(target) and not is_code(target):
        raise SymgradError(f"'{target}' is a file, but neither a script (.py) nor a notebook (.ipynb)")


def _path(target: str) -> str:
    """The file that was checked, for those who look for it; empty for an expression."""
    from symgrad.api import is_code

    if not is_code(target):
        return ""
    near = os.path.relpath(target)
    return target if near.startswith("..") else near


def _refuse(error: Any, target: str, kind: str) -> None:
    from symgrad.outputs import refused

    click.echo(refused(error, target, kind, path=_path(target)), nl=False)
    click.echo(error.render().encode("utf-8", "replace").decode(), err=True)
    sys.exit(error.exit_code)


def _width() -> int:
    import shutil

    return max(60, min(shutil.get_terminal_size((100, 24)).columns, 160))


def _colored(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def entry() -> None:
    """The command as a process of its own. It ends at once: Python takes half a second to take torch apart."""
    code: Any = 0
    try:
        main(prog_name="symgrad")
    except SystemExit as end:
        code = end.code or 0
    if not isinstance(code, int):
        sys.exit(code)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = 0
    os._exit(code)
