"""``f = lambda x: x**2`` at the top of a file is a function with a name: from here on it is read as ``def f``."""

from __future__ import annotations

import ast


def as_functions(tree: ast.Module) -> None:
    """Make functions of the lambdas that a module gives names to, in place. Every expression keeps its place in the
    text."""
    tree.body = [_function(s) for s in tree.body]


def _function(statement: ast.stmt) -> ast.stmt:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=args, body=body)):
            pass
        case _:
            return statement
    result = ast.copy_location(ast.Return(body), body)
    made = ast.FunctionDef(name, args, [result], [], None, None)
    return ast.copy_location(made, statement)


__all__ = ["as_functions"]
