"""What is meant by ``dl_da``, where the script has a ``level`` and an ``alpha``: names are cut short in derivatives.

And by ``P_q`` and ``K_q``, where it has a P, a K and a q: what they are by stands at the end of such names, and nothing
else is said. Or by ``dP_q`` and ``dK_q``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from symgrad.diagnose.text.naming import LOSS_NAMES, Claim, claims, normal

#: So many names that are made in one way are no accident.
LIKES = 2

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def spelled_out(names: Iterable[str], called: Collection[str]) -> dict[str, Claim]:
    """Names that say "this by that" in short forms -> what they say in full.

    Args:
        names: those to be read. What says something as it stands is left alone.
        called: what the variables of the forward pass are called. A short form is taken for the one that begins with
            it, or for the one whose words begin with its letters (``nl`` for ``new_level``); where there are several,
            for none.
    """
    names = list(names)
    full = {normal(name) for name in called}
    out = joined(names, full)
    for name in names:
        read = claims(name)
        if any(c.bottom in full and (c.top in full or c.top in ("", *LOSS_NAMES)) for c in read):
            continue
        claim = next((c for c in read if c.top), None)
        if claim is None:
            continue
        bottom = claim.bottom if claim.bottom in full else _in_full(claim.bottom, called)
        top = claim.top if claim.top in full else _in_full(claim.top, called)
        # Where alpha is cut short, so may the level be; dL is of the loss even so.
        if claim.top in LOSS_NAMES and (not top or bottom == claim.bottom or name.startswith(("dL", "d_L"))):
            top = claim.top
        if top and bottom and top != bottom:
            out[name] = Claim(top, bottom)
    return out


def joined(names: Iterable[str], full: Collection[str]) -> dict[str, Claim]:
    """Names such as ``dU_w``, of a U by a w, where there is no U_w; of one of the two there have to be several.

    ``full``: what the variables are called, normalised.
    """
    out: dict[str, Claim] = {}
    for name in names:
        if not name.startswith("d") or not name.isidentifier() or any(c.bottom in full for c in claims(name)):
            continue
        parts = name[1:].lstrip("_").split("_")
        for k in range(1, len(parts)):
            top, bottom = normal("_".join(parts[:k])), normal("_".join(parts[k:]))
            if top != bottom and top in full and bottom in full:
                out[name] = Claim(top, bottom)
    held = [stem for c in out.values() for stem in (c.top, c.bottom)]
    return {name: c for name, c in out.items() if max(held.count(c.top), held.count(c.bottom)) >= LIKES}


def subscripted(
    names: Iterable[str], given: Iterable[str], made: Collection[str], *, across: bool = False
) -> dict[str, Claim]:
    """Names such as ``x_r`` and ``xr`` -> what they say, if that is the derivative of x by r.

    Args:
        names: those to be read. What says something in another way is left alone.
        given: what the numbers are called that are only given, and by which something may be differentiated.
        made: what that is called which is worked out. Of several of these there have to be such names, made in one way.
        across: of one of them by several numbers, ``w_lr`` and ``w_mu``, is as good.
    """
    taken = [name for name in names if name.isidentifier()]
    kinds: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    everything = {normal(name) for name in (*made, *given)}
    for name in taken:
        if any(c.bottom in everything for c in claims(name)):
            continue
        for bottom in given:
            stem = name.removesuffix(bottom)
            top = stem.rstrip("_")
            if stem != name and top != bottom and top in made:
                kinds.setdefault((stem[len(top) :], "" if across else bottom), {})[name] = top, bottom
    return {
        name: Claim(normal(top), normal(bottom))
        for mine in kinds.values() if len(mine) >= LIKES
        for name, (top, bottom) in mine.items()
    }  # fmt: skip


def _in_full(short: str, called: Collection[str]) -> str:
    """The one name that a short form may stand for, normalised; empty if there is none, or if there are several."""
    begun = {normal(name) for name in called if normal(name).startswith(short)}
    initials = {normal(name) for name in called if "".join(w[0] for w in _WORD.findall(name)).lower() == short}
    for found in (initials, begun) if len(short) > 1 else (begun,):
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""


__all__ = ["joined", "spelled_out", "subscripted"]
