"""The gradients of a graph as LaTeX: the forward pass, then one line for each named step's derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgrad.backward import backward
from symgrad.codegen.style import identifier
from symgrad.graph import Graph
from symgrad.ops.recognise import recognise
from symgrad.ops.source import unspread, zeros
from symgrad.ops.tidy import tidy
from symgrad.report.latex import ATOM, compose, number, partial, symbol


def emitted_latex(graph: Graph, wrt: Sequence[int]) -> str:
    """An ``align*`` environment (amsmath): steps, then derivatives, each in terms of the ones before it.

    Args:
        graph: a forward pass, in which all steps lead to the result.
        wrt: the input steps that are differentiated by.
    """
    recognised = recognise(graph)
    reverse = backward(recognised, wrt)
    flows: dict[int, list[int]] = {}
    for edge in reverse.edges:
        flows.setdefault(recognised.steps[edge.step].inputs[edge.input], []).append(edge.contribution)
    stated = {j for j in reverse.cotangents if j in wrt or not graph.steps[j].is_hidden or len(flows.get(j, ())) > 1}
    stated.discard(graph.output)
    tidied = tidy(reverse.graph, len(graph), {reverse.cotangents[j] for j in stated})
    whole = Graph((*graph.steps, *tidied.graph.steps[len(graph) :]), graph.output, graph.source)
    # The n-th value of a name has n - 1 primes.
    primes = ["'" * (int(s.name.partition("#")[2] or 1) - 1) for s in graph.steps]
    words = {i: symbol(identifier(s.name) + primes[i]) for i, s in enumerate(graph.steps) if not s.is_hidden}
    result = words.get(graph.output, "f")
    known = {i: (words[i], ATOM) for i in words if not graph.steps[i].is_const}
    lines = [
        f"{words.get(i, result)} &= {_text(whole, i, {k: v for k, v in known.items() if k != i})}"
        for i, s in enumerate(graph.steps)
        if not s.is_leaf and (not s.is_hidden or i == graph.output)
    ]
    for j in sorted(stated, reverse=True):
        left = partial(result, words.get(j, "u"), single=False)
        at = tidied.place[reverse.cotangents[j]]
        shape = graph.steps[j].shape
        if at not in known:
            parts = [unspread(whole, tidied.place[c], shape, known) for c in flows.get(j, ())] or [at]
            parts = parts if len(parts) > 1 else [at]
            texts = [_text(whole, p, known) for p in parts if not zeros(whole, p)] or ["0"]
            lines.append(f"{left} &= {' + '.join(texts).replace('+ -', '- ')}")
            known[at] = (left, ATOM)
        elif j in wrt:
            lines.append(f"{left} &= {known[at][0]}")
    body = " \\\\\n".join("  " + line for line in lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _text(graph: Graph, index: int, known: Mapping[int, tuple[str, int]]) -> str:
    """One step in terms of what is known. No recursion."""
    done = dict(known)
    stack = [index]
    while stack:
        i = stack[-1]
        step = graph.steps[i]
        if i in done:
            stack.pop()
        elif step.is_const:
            text = number(step.value)
            done[i] = (text, 2 if "frac" in text or text.startswith("-") else ATOM)
        else:
            waiting = [j for j in step.inputs if j not in done]
            stack.extend(waiting)
            if not waiting:
                done[i] = compose(graph, i, done)
    return done[index][0]
