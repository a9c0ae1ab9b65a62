"""Reading and writing parts of arrays: ``x[i]``, ``x[i] = v`` as a new array, and ``x[i] += v`` that accumulates.

What stands between the brackets is a ``spec``: a tuple with one item for each of them,

* an integer; ``"..."``; ``None`` for a new axis;
* ``("slice", start, stop, step)``, each an integer or ``None``;
* ``("ints", shape, numbers)``, an integer array; a boolean array is ``("mask", shape, numbers)`` with the flat places
  at which it is true;
* ``("input", k)``: the integers are the values of input number k of the step, for indices that are computed (argmax).

Meaning and shape are NumPy's, since they are found by letting NumPy index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from symgrad.graph import Param
from symgrad.ops.tensor import PlaceError, Shape, ShapeError, declare, objects, shape_of

Spec = tuple[Any, ...]

# --- specifications -------------------------------------------------------------------------------------------------


def encode(index: Any, first: int = 1) -> tuple[Spec, list[Any]]:
    """NumPy's index as a ``spec``, and the traced arrays in it, which become inputs from number ``first`` on.

    Args:
        index: what stood between the brackets: integers, slices, ``None``, ``...``, lists, integer and boolean arrays,
            and objects that are none of these (steps): those become ``("input", k)``. An object with an attribute
            ``places`` is used as what that holds.

    Raises:
        TypeError: something there is no index.
    """
    import numpy as np

    out: list[Any] = []
    operands: list[Any] = []
    for item in index if isinstance(index, tuple) else (index,):
        item = getattr(item, "places", item)
        if item is None:
            out.append(None)
        elif item is Ellipsis:
            out.append("...")
        elif isinstance(item, slice):
            out.append(("slice", *(None if v is None else int(v) for v in (item.start, item.stop, item.step))))
        elif isinstance(item, bool | np.bool_):
            out.append(("mask", (), (0,) if item else ()))
        elif isinstance(item, int | np.integer):
            out.append(int(item))
        elif isinstance(item, list | np.ndarray):
            array = np.asarray(item)
            if array.dtype == bool:
                out.append(("mask", array.shape, tuple(np.flatnonzero(array).tolist())))
            elif array.dtype.kind in "iu" or not array.size:
                out.append(("ints", array.shape, tuple(int(n) for n in array.ravel().tolist())))
            else:
                raise TypeError("only integers, slices, None, ... and integer or boolean arrays are an index")
        elif shape_of(item) or hasattr(item, "shape"):
            out.append(("input", first + len(operands)))
            operands.append(item)
        else:
            raise TypeError("only integers, slices, None, ... and integer or boolean arrays are an index")
    return tuple(out), operands


@lru_cache(maxsize=4096)
def _known(spec: Spec) -> tuple[tuple[Any, ...], bool]:
    """The index that NumPy takes, in which inputs stay as they are; and whether there are any."""
    import numpy as np

    out: list[Any] = []
    for item in spec:
        if item == "...":
            out.append(Ellipsis)
        elif not isinstance(item, tuple):
            out.append(item)
        elif item[0] == "slice":
            out.append(slice(*item[1:]))
        elif item[0] == "ints":
            out.append(np.array(item[2], dtype=np.int64).reshape(item[1]))
        elif item[0] == "mask":
            mask = np.zeros(item[1], dtype=bool)
            mask.flat[list(item[2])] = True
            out.append(mask)
        else:
            out.append(item)
    return tuple(out), any(isinstance(item, tuple) and item[0] == "input" for item in spec)


def numpy_index(spec: Spec, inputs: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The index as NumPy takes it; ``inputs`` are all of the step's, as arrays of whole numbers."""
    known, computed = _known(spec)
    if not (inputs and computed):
        return known
    return tuple(_whole(inputs[i[1]]) if isinstance(i, tuple) and i[0] == "input" else i for i in known)


def _whole(value: Any) -> Any:
    """Computed indices are float64, or balls of radius 0."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype == object:
        array = np.vectorize(float, otypes=[np.float64])(array)
    return array.astype(np.int64)


@lru_cache(maxsize=4096)
def _region(x: Shape, spec: Spec, indices: tuple[Shape, ...], what: str) -> Shape:
    """The shape of ``x[spec]``.

    Raises:
        ShapeError: too many indices, one out of range, or arrays that do not broadcast.
    """
    import numpy as np

    dummy = np.broadcast_to(np.int8(0), x)
    zeros = {k: np.zeros(s, dtype=np.int64) for k, s in enumerate(indices)}
    first = min((i[1] for i in spec if isinstance(i, tuple) and i[0] == "input"), default=0)
    place = tuple(
        zeros[i[1] - first] if isinstance(i, tuple) and i[0] == "input" else i for i in _known(spec)[0]
    )
    try:
        return tuple(dummy[place].shape)
    except IndexError as problem:
        raise PlaceError(f"{what} of shape {x}: {problem}") from None


def _spec(first: int, what: str) -> Any:
    """The canonical parameters of an op that has index inputs from number ``first`` on."""

    def settle(*shapes: Shape, spec: Any) -> dict[str, Param]:
        exact = tuple(spec)
        _region(shapes[0], exact, shapes[first:], what)
        if first == 2:
            _fits(shapes[0], shapes[1], exact, shapes[2:], what)
        return {"spec": exact}

    return settle


def _fits(x: Shape, v: Shape, spec: Spec, indices: tuple[Shape, ...], what: str) -> None:
    """Whether NumPy would write ``v`` there: leading axes of length 1 are dropped."""
    region = _region(x, spec, indices, what)
    short = v
    while len(short) > len(region) and short[0] == 1:
        short = short[1:]
    pairs = zip(reversed(short), reversed(region), strict=False)
    if len(short) > len(region) or any(a not in (1, b) for a, b in pairs):
        raise ShapeError(f"{what}: a value of shape {v} does not fit the region of shape {region} of shape {x}")


def may_repeat(spec: Spec) -> bool:
    """Whether one entry may be written twice."""
    arrays = [i for i in spec if isinstance(i, tuple) and i[0] in ("ints", "input")]
    if not arrays:
        return False
    if any(i[0] == "input" for i in arrays):
        return True
    known = [i for i in arrays if i[2]]
    if any(i[1] != known[0][1] for i in known):
        return True
    places = list(zip(*(i[2] for i in known), strict=True))
    # -1 and n - 1 are one place; so a negative index may repeat another.
    return len(set(places)) < len(places) or any(n < 0 for p in places for n in p)


# --- the three ops --------------------------------------------------------------------------------------------------


def _zeros(m: Any, x: Any) -> Any:
    return m.broadcast_to(m.constant(0), shape=shape_of(x))


def _read_pull(m: Any, g: Any, y: Any, x: Any, *indices: Any, index: int, spec: Spec) -> Any:
    """Zeros, with the cotangent added where it was read: an entry that was read twice gets both."""
    if index:
        return None
    return m.add_at(_zeros(m, x), g, *indices, spec=moved(spec, 1))


def moved(spec: Spec, by: int) -> Spec:
    """The same index where its inputs stand ``by`` places later."""
    return tuple(("input", i[1] + by) if isinstance(i, tuple) and i[0] == "input" else i for i in spec)


def _set_pull(m: Any, g: Any, y: Any, x: Any, v: Any, *indices: Any, index: int, spec: Spec) -> Any:
    """What was overwritten gets nothing; the value gets what the region gets, its last writer where it repeats."""
    if index == 0:
        return m.set(g, m.constant(0), *indices, spec=spec)
    if index > 1:
        return None
    reading = moved(spec, -1)
    part = m.index(g, *indices, spec=reading)
    if not may_repeat(spec):
        return part
    number = m.iota(shape=shape_of(part))
    last = m.index(m.set(_zeros(m, x), number, *indices, spec=spec), *indices, spec=reading)
    return part * m.eq(last, number)


def _add_pull(m: Any, g: Any, y: Any, x: Any, v: Any, *indices: Any, index: int, spec: Spec) -> Any:
    if index == 0:
        return g
    return m.index(g, *indices, spec=moved(spec, -1)) if index == 1 else None


def _set(np: Any, x: Any, v: Any, *indices: Any, spec: Spec) -> Any:
    out = np.array(x)
    # An object array would hold an array of no axes as it is, not what is in it.
    out[numpy_index(spec, (x, v, *indices))] = v[()]
    return out


def _add_at(np: Any, x: Any, v: Any, *indices: Any, spec: Spec) -> Any:
    out = np.array(x)
    place = numpy_index(spec, (x, v, *indices))
    rank = np.ndim(out[place])
    if v.ndim > rank:
        v = v.reshape(v.shape[v.ndim - rank :])
    v = v[()]
    if may_repeat(spec):
        np.add.at(out, place, v)
    else:
        out[place] += v
    return out


def _places(t: Any, x: Any, spec: Spec, inputs: Sequence[Any]) -> Any:
    """The flat places that are read or written, in torch: NumPy's rules, negative steps included."""
    import numpy as np

    numbers = np.arange(x.numel()).reshape(tuple(x.shape))
    given = tuple(v.detach().to("cpu", t.float64).numpy() if isinstance(v, t.Tensor) else v for v in inputs)
    return t.as_tensor(np.array(numbers[numpy_index(spec, given)]), device=x.device)


def _torch_read(t: Any, x: Any, *indices: Any, spec: Spec) -> Any:
    plain = not any(isinstance(i, tuple) and (i[0] == "input" or (i[0] == "slice" and (i[3] or 1) < 0)) for i in spec)
    if plain:
        known = tuple(t.as_tensor(i, device=x.device) if hasattr(i, "dtype") else i for i in _known(spec)[0])
        return x[known]
    return t.take(x, _places(t, x, spec, (x, *indices)))


def _torch_set(t: Any, x: Any, v: Any, *indices: Any, spec: Spec) -> Any:
    places = _places(t, x, spec, (x, v, *indices))
    flat, filled = places.reshape(-1), _spread(v, places)
    # Of several values for one place the last one stays, which torch does not promise.
    last = t.full((x.numel(),), -1, device=x.device, dtype=t.int64)
    last = last.scatter_reduce(0, flat, t.arange(flat.numel(), device=x.device), "amax")
    kept = t.cat((filled, x.reshape(-1)))[t.where(last >= 0, last, flat.numel() + t.arange(x.numel(), device=x.device))]
    return kept.reshape(x.shape)


def _torch_add(t: Any, x: Any, v: Any, *indices: Any, spec: Spec) -> Any:
    places = _places(t, x, spec, (x, v, *indices))
    return x.reshape(-1).index_add(0, places.reshape(-1), _spread(v, places)).reshape(x.shape)


def _spread(v: Any, places: Any) -> Any:
    """The value at every place, flat."""
    while v.ndim > places.ndim:
        v = v[0]
    return v.expand(places.shape).reshape(-1)


def _item(item: Any) -> str:
    if item is None or isinstance(item, int):
        return str(item)
    if item == "...":
        return "\\ldots"
    if item[0] == "slice":
        start, stop, step = ("" if v is None else str(v) for v in item[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if item[0] == "input":
        return f"i_{{{item[1]}}}"
    if item[0] == "mask":
        return "\\text{mask}"
    return ",".join(map(str, item[2][:4])) + (",\\ldots" if len(item[2]) > 4 else "")


def _python(item: Any) -> str:
    """One item as Python writes it; a long list of places by its length."""
    if item is None or isinstance(item, int):
        return str(item)
    if item == "...":
        return "..."
    if item[0] == "slice":
        start, stop, step = ("" if v is None else str(v) for v in item[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if item[0] == "input":
        return f"{{{item[1]}}}"
    if item[0] == "mask":
        return f"<mask of {len(item[2])}>"
    return f"{list(item[2])}" if len(item[1]) == 1 and len(item[2]) <= 8 else f"<{len(item[2])} places>"


def _brackets(params: Mapping[str, Any]) -> str:
    return ", ".join(_python(i) for i in params["spec"])


def _alone(text: str) -> str:
    """LaTeX takes no second subscript."""
    return f"{{{text}}}" if "_" in text or "^" in text else text


def _inside(params: Mapping[str, Any]) -> str:
    return ",\\,".join(_item(i) for i in params["spec"])


def _read_shape(x: Shape, *indices: Shape, spec: Spec) -> Shape:
    return _region(x, spec, indices, "an index")


declare(
    "index", 1, variadic=True, vjp=(_read_pull,), settle=_spec(1, "an index"), shape=_read_shape,
    run=lambda np, x, *indices, spec: x[numpy_index(spec, (x, *indices))], torch=_torch_read,
    write=lambda m, v, x, *indices, spec: m.set(x, v, *indices, spec=moved(spec, 1)),
    numpy="numpy.ndarray.__getitem__", text=lambda p, s: f"{{0}}[{_brackets(p)}]", uniform=True,
    typeset=lambda x, p: f"{_alone(x[0])}_{{[{_inside(p)}]}}",
    enclose=lambda x, *indices, spec: objects(_array(x)[numpy_index(spec, (x, *indices))]),
    sympy=lambda x, *indices, spec: objects(_array(x)[numpy_index(spec, (x, *indices))]),
    examples=(
        (((4, 3),), {"spec": (1,)}), (((4, 3),), {"spec": (("slice", None, None, -2), None)}),
        (((4, 3),), {"spec": (("ints", (3,), (0, 2, 0)),)}), (((4, 3),), {"spec": (("mask", (4, 3), (0, 5, 7)),)}),
        (((4, 3, 2),), {"spec": (("ints", (2,), (1, -1)), ("slice", 1, None, None), ("ints", (2,), (0, 1)))}),
        (((4, 3),), {"spec": ("...", 0)}),
    ),
)  # fmt: skip


def _array(x: Any) -> Any:
    import numpy as np

    return np.asarray(x, dtype=object)


_WRITES = (
    (((4, 3), (3,)), {"spec": (1,)}), (((4, 3), ()), {"spec": (("slice", None, None, 2),)}),
    (((4, 3), (3, 3)), {"spec": (("ints", (3,), (0, 2, 0)),)}),
    (((4, 3), (3,)), {"spec": (("mask", (4, 3), (0, 5, 7)),)}),
    (((5,), (4,)), {"spec": (("ints", (4,), (1, 1, -4, 3)),)}),
    (((4, 3), (1, 2)), {"spec": ("...", ("slice", -2, None, None))}),
)  # fmt: skip

# The array, the value, and the inputs that are indices. A copy in which the region is replaced.
declare(
    "set", 2, variadic=True, vjp=(_set_pull,), settle=_spec(2, "an assignment"),
    shape=lambda x, v, *indices, spec: x, run=_set, torch=_torch_set, numpy="numpy.ndarray.__setitem__",
    typeset=lambda x, p: f"{x[0]}\\left[{_inside(p)} \\leftarrow {x[1]}\\right]", examples=_WRITES,
    text=lambda p, s: f"set({{0}}, [{_brackets(p)}], {{1}})",
)  # fmt: skip
# np.add.at, index_add_, scatter_add_: what is written twice is added twice.
declare(
    "add_at", 2, variadic=True, vjp=(_add_pull,), settle=_spec(2, "an addition"),
    shape=lambda x, v, *indices, spec: x, run=_add_at, torch=_torch_add, numpy="numpy.add.at",
    typeset=lambda x, p: f"{x[0]}\\left[{_inside(p)} \\mathrel{{+}}= {x[1]}\\right]", examples=_WRITES,
    text=lambda p, s: f"add_at({{0}}, [{_brackets(p)}], {{1}})",
)  # fmt: skip
