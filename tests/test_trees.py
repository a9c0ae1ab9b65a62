"""The walks over syntax trees do what those of ``ast`` do."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from symgrad.frontends.trace.trees import Transformer, fill_places, walk

ROOT = Path(__file__).parent.parent
TEXTS = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "symgrad" / "frontends").glob("**/*.py"))[::6]]
TEXTS += [p.read_text(encoding="utf-8") for p in sorted((ROOT / "examples").glob("*.py"))[::4]]


class _Plain(ast.NodeTransformer):
    """Replaces, doubles and removes."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            return node
        return ast.copy_location(ast.Call(ast.Name("f", ast.Load()), [node], []), node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.generic_visit(node)
        return [node, ast.Pass()]

    def visit_Assert(self, node: ast.Assert) -> Any:
        return None

    def visit_Return(self, node: ast.Return) -> Any:
        node.value = None
        return node


class _Fast(Transformer):
    visit_Name = _Plain.visit_Name  # type: ignore[assignment]
    visit_Assert = _Plain.visit_Assert  # type: ignore[assignment]
    visit_Return = _Plain.visit_Return  # type: ignore[assignment]
    visit_Expr = _Plain.visit_Expr  # type: ignore[assignment]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_trees_come_out_as_ast_makes_them(text: str) -> None:
    tree = ast.parse(text)
    assert [id(n) for n in walk(tree)] == [id(n) for n in ast.walk(tree)]
    plain, fast = (visitor.visit(ast.parse(text)) for visitor in (_Plain(), _Fast()))
    ast.fix_missing_locations(plain)
    fill_places(fast)
    assert ast.dump(plain, include_attributes=True) == ast.dump(fast, include_attributes=True)
