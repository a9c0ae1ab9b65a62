"""The rules of the house: imports point one way, heavy libraries load late, ops are named in ops/ only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from symgrad.ops import OPS

ROOT = Path(__file__).parent.parent / "symgrad"

#: Lower rooms first; a module may import from rooms below its own, and from its own package.
LAYERS = [
    {"swift"},
    {"errors", "deep", "effort", "collecting"},
    {"graph", "formats"},
    {"ops"},
    {"names"},
    {"naming", "printing"},
    {"frontends", "backward"},
    {"symbolic", "evaluate", "enclosure", "arrays", "codegen", "native", "pages"},
    {"rounding", "bulk"},
    {"judge", "points", "diagnose"},
    {"report"},
    {"steps", "ranges", "cutting"},
    {"picturing"},
    {"derivation", "subjects"},
    {"judging"},
    {"checking", "shaped"},
    {"manual", "sweep"},
    {"callables", "curves"},
    {"files"},
    {"api"},
    {"reference"},
    {"emitting", "outputs", "jupyter", "testing"},
    {"pytest_plugin", "grading"},
    {"command"},
    {"cli"},
]

#: What may import what in two rooms: lower modules first, and none imports one of its own row.
WITHIN = {
    "subjects": [
        {"handing_back"},
        {"copies", "logarithms", "returned", "rates", "upstream"},
        {"states", "curves", "duals", "seconds", "afterwards"},
        {"prepared", "candidates"},
        {"chosen", "further"},
    ],
    "files": [{"asked", "programs"}, {"costs", "elsewhere"}, {"passes", "unrun"}, {"entry"}],
}

#: The rooms of symgrad.diagnose, lower ones first. Its engine stands above them all.
DIAGNOSE = [
    "values", "text", "observing", "meaning", "words", "walking", "trying", "effects", "telling", "deciding", "engine",
]  # fmt: skip


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def level(name: str) -> int:
    for n, layer in enumerate(LAYERS):
        if name in layer:
            return n
    raise AssertionError(f"symgrad.{name} has no place in LAYERS")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = [p for p in sorted(ROOT.rglob("*.py")) if module_name(p) not in ("symgrad", "symgrad.__main__")]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_point_one_way(path: Path) -> None:
    mine = room(module_name(path))
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("symgrad"):
            names = [node.module] if node.module != "symgrad" else [f"symgrad.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.startswith("symgrad.")]
        for name in names:
            theirs = room(name)
            if theirs in ("__version__", mine):
                continue
            assert level(theirs) < level(mine), f"{mine} imports {name}, which is not below it"


@pytest.mark.parametrize("name", WITHIN)
def test_modules_of_a_room_import_from_those_below_them(name: str) -> None:
    rows = {module: n for n, row in enumerate(WITHIN[name]) for module in row}
    assert rows.keys() == {p.stem for p in (ROOT / name).glob("*.py")} - {"__init__"}
    for module, mine in rows.items():
        for node in ast.walk(ast.parse((ROOT / name / f"{module}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"symgrad.{name}"):
                named = (node.module or "").split(".")[2:] or [alias.name for alias in node.names]
                above = [theirs for theirs in named if rows[theirs] >= mine]
                assert not above, f"{name}/{module}.py:{node.lineno} imports {above}"


@pytest.mark.parametrize("path", sorted((ROOT / "diagnose").glob("*/*.py")), ids=module_name)
def test_rooms_of_the_diagnosis_import_from_those_before_them(path: Path) -> None:
    mine = DIAGNOSE.index(path.parent.name)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("symgrad.diagnose"):
            theirs = (node.module or "").split(".")[2:3]
            assert theirs, f"{path.name}:{node.lineno} imports from no room"
            assert DIAGNOSE.index(theirs[0]) <= mine, f"{path.name}:{node.lineno} imports {node.module}"


@pytest.mark.parametrize("name", [".", *DIAGNOSE[:-1]])
def test_packages_of_the_diagnosis_say_what_is_in_them(name: str) -> None:
    package = ROOT / "diagnose" / name
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    there = {p.stem for p in package.glob("*.py")} | {p.parent.name for p in package.glob("*/__init__.py")}
    listed = re.findall(r"(?:^\* |[,;] )(?:``\w+``(?:, )?)+:", said, re.M)
    names = {name for entry in listed for name in re.findall(r"``(\w+)``", entry)} | {"__init__", "engine"} & there
    assert names == there


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_op_names_are_tested_in_ops_only(path: Path) -> None:
    """No comparison with an op's name, and no table keyed by op names, outside ops/."""
    if "ops" in path.relative_to(ROOT).parts:
        return
    # Methods of a tensor, kinds of mistakes, and words.
    own_words = {"max", "min", "sum", "mean", "prod", "sign", "transpose"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Dict):
            keys = {k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)}
            assert len(keys & OPS.keys() - own_words) < 2, f"{path.name}:{node.lineno} is a table of ops"
        if isinstance(node, ast.Compare):
            for side in [node.left, *node.comparators]:
                constants = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
                for c in constants:
                    if isinstance(c, ast.Constant) and isinstance(c.value, str):
                        assert c.value not in OPS or c.value in own_words, f"{path.name}:{node.lineno} tests {c.value}"
