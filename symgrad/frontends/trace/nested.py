"""Arguments that are dictionaries, lists and tuples of arrays: JAX's pytrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from symgrad.frontends.trace.records import Record


def leaves(tree: Any) -> Iterator[Any]:
    """What is no dictionary, list or tuple itself, in order."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        for part in tree:
            yield from leaves(part)
    else:
        yield tree


def mapped(function: Callable[..., Any], one: Any, *others: Any) -> Any:
    """Of each array of an argument, and of its counterparts in others, in the form that they have."""
    if isinstance(one, dict):
        return {k: mapped(function, v, *(o[k] for o in others)) for k, v in one.items()}
    if isinstance(one, list | tuple) and not isinstance(one, Record):
        made = [mapped(function, *parts) for parts in zip(one, *others, strict=True)]
        return made if isinstance(one, list) else tuple(made)
    return function(one, *others)
