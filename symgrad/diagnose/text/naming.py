"""What the name of a variable says about the derivative that it holds. Names help, and never decide.

The survey of hand-written passes (shared/MISTAKES.md, section 3) found: dX, X_grad, grad_X, dL_dX and kin, delta_X,
X_error, d_X, gX, nabla_X, dY_dX, grads["X"], self.dX, x.grad, and bare grad, dout, delta, g.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

#: What is made as large as it can be, and not small.
GAINS = frozenset({"ll", "loglik", "loglike", "loglikelihood", "logl", "lnl", "logpost", "logposterior", "elbo"})
#: The negative of a likelihood's logarithm, and sums of squares, as statisticians call them.
_FITS = frozenset({"nll", "negll", "negloglik", "negloglike", "negloglikelihood", "negativeloglikelihood",
                   "rss", "sse", "ssr", "ssq", "sumsq", "css", "chi2", "chisq", "deviance"})
#: Names that stand for the loss in dL_dX, whatever it is called in the forward pass.
LOSS_NAMES = GAINS | _FITS | frozenset(
    {
        "l",
        "loss",
        "j",
        "e",
        "err",
        "error",
        "cost",
        "obj",
        "c",
        "total",
        "mse",
        "bce",
        "ce",
        "objective",
        "totalloss",
    }
)
#: Of these, the ones that are hardly ever anything else.
SURELY_LOSS = (GAINS - {"ll"}) | _FITS | frozenset(
    {"loss", "cost", "mse", "bce", "ce", "obj", "objective", "totalloss", "j"}
)
#: Names that say "a cotangent" without saying of what.
BARE = frozenset(
    {"grad", "g", "gradient", "delta", "d", "dout", "dx", "dz", "upstream", "error", "gradoutput", "nabla"}
)

_GRAD_BOX = re.compile(r"^(?:self\.)?(?:[dDgG]|grads?|gradients?|derivs?|deltas?|nablas?)\[\"?(.+?)\"?\]$")
_INDEXED = re.compile(r"^(.*?)((?:\[[^\]]*\])+)$")
_PREFIXES = (
    "grads_",
    "grad_",
    "gradient_",
    "delta_",
    "nabla_",
    "partial_",
    "del_",
    "grad",
    "delta",
    "nabla",
    "d_",
    "g_",
    "d",
    "g",
)
_SUFFIXES = (
    "_gradient", "_grads", "_grad", "_error", "_delta", "_bar", "_g", "_d", "gradient", "grad", "bar", ".grad", ".g",
    ".gradient", ".adj", ".adjoint", ".deriv", ".derivative",
)


_JACOBIAN = re.compile(r"^j(?:ac)?_?([1-9])_?([1-9])$")
#: What functions with a number are called.
_FUNCTIONS = ("f", "y", "g", "h", "z", "r")

#: A dictionary of the derivatives of one thing.
_KEPT = re.compile(r'^d_?(\w+)\["(\w+)"\]$')
#: layer["dw"], beside layer["w"].
_ITEM = re.compile(r'^\w+\["([A-Za-z_]\w*)"\]$')
#: An attribute of something else than self; not those that say themselves that they are a gradient.
_OWNED = re.compile(r"^((?:[A-Za-z_]\w*\.)+)([A-Za-z_]\w*)$")
#: Whose derivative it is, where autograd's or a numerical one stands beside it: my_dw, dw_manual.
_WHOSE = "my|mine|our|ours|man|manual|manually|hand|byhand|own|custom|analytic|analytical|exact|bp|backprop"
_OURS = re.compile(rf"^(?:(?:{_WHOSE})_(?P<after>\w+)|(?P<before>\w+?)_(?:{_WHOSE}))$", re.I)
#: What it is over, where it is added up: dw_total, sum_dw.
_SUMS = "total|tot|sum|acc|accum|avg|mean|batch"
_SUMMED = re.compile(rf"^(?:(?:{_SUMS})_(?P<after>\w+)|(?P<before>\w+?)_(?:{_SUMS}))$", re.I)
_READ = ("grad", "g", "gradient", "adj", "adjoint", "deriv", "derivative", "data", "item", "T")

#: What a list says of itself before it says of what: ``all_dl_df`` beside ``all_f``.
_ALL = re.compile(r"^(all|list|list_of|every|stored|saved)_(\w+)$", re.I)

#: What lists of a thing are called, and what is hung onto the name of one entry.
_LISTS = ("s", "es", "list", "all", "seq", "hist", "history", "states", "values")
_MOMENTS = ("next", "prev", "last", "cur", "new", "in", "t", "i", "k", "l", "n")


@dataclass(frozen=True, slots=True)
class Claim:
    """A name read as a derivative: of ``top`` (empty for the loss) with respect to ``bottom``, both normalised names.

    ``index`` is what stood in brackets, as written: ``[3]`` of ``dhs[3]``.
    """

    top: str
    bottom: str


@lru_cache(maxsize=100_000)
def normal(name: str) -> str:
    """A name without what people drop when they prefix it: case, underscores, ``self.``."""
    return name.removeprefix("self.").replace("_", "").replace('"', "").lower()


@lru_cache(maxsize=100_000)
def claims(name: str) -> tuple[Claim, ...]:
    """The readings of a name, the most specific first. Which of them means anything is for the forward pass to say."""
    return tuple(_claims(name))


def _claims(name: str) -> Iterator[Claim]:
    base = name.removeprefix("self.").replace("._", ".")
    if (ours := _OURS.match(base)) is not None:
        yield from _claims(ours["after"] or ours["before"])
        return
    box = _GRAD_BOX.match(base)
    if box:
        inner = box.group(1)
        yield from _claims(inner)
        yield Claim("", normal(inner))
        return
    if (kept := _KEPT.match(base)) is not None:
        # dE["x"] is dE/dx
        yield Claim(normal(kept[1]), normal(kept[2]))
    if (owned := _OWNED.match(base)) is not None and owned[2] not in _READ:
        # net.dw beside net.w, or beside what the class calls self.w
        for claim in _claims(owned[2]):
            yield Claim(claim.top, normal(owned[1]) + claim.bottom)
            yield claim
        return
    index = ""
    match = _INDEXED.match(base)
    if match:
        base, index = match.group(1), match.group(2).replace('"', "")  # grads_G["w"], beside G["w"]
    if (listed := _ALL.match(base)) is not None:
        for claim in _claims(listed[2] + index):
            yield Claim(claim.top, normal(listed[1]) + claim.bottom)
            yield claim
        return
    low = base.lower()
    # dY_dX, dYdX, d_Y_d_X, dL_dX
    for pattern in (r"^d_?(.+?)_d_?(.+)$", r"^d(.+?)_?d_?(.+)$", r"^d_?(.+?)_?by_?d?(.+)$", r"^grad_(.+?)_wrt_(.+)$"):
        found = re.match(pattern, low)
        if found:
            yield Claim(normal(found.group(1)), normal(found.group(2)) + index)
    # J12 is df1/dx2
    if (found := _JACOBIAN.match(low)) is not None:
        for stem in _FUNCTIONS:
            yield Claim(f"{stem}{found[1]}", f"x{found[2]}")
    for prefix in _PREFIXES:
        if low.startswith(prefix) and len(low) > len(prefix):
            yield Claim("", normal(low[len(prefix) :]) + index)
    for suffix in _SUFFIXES:
        if low.endswith(suffix) and len(low) > len(suffix):
            yield Claim("", normal(low[: -len(suffix)]) + index)
    if (item := _ITEM.match(name)) is not None:
        yield from _claims(item[1])
    if (summed := _SUMMED.match(base)) is not None:
        yield from _claims((summed["after"] or summed["before"]) + index)


#: What nobody calls anything but a derivative, whatever of.
_PLAIN = re.compile(r"^(grad|delta|nabla)_?\w+$|^\w+_(grad|gradient|delta)$")


def is_plain(name: str) -> bool:
    """A name that stands for a derivative wherever it is used: ``delta3``, ``grad_h``, ``h_grad``."""
    return _PLAIN.match(name) is not None


@lru_cache(maxsize=100_000)
def is_bare(name: str) -> bool:
    """The name says "a gradient" and not of what: it may be used for one after the other."""
    # D and G are matrices.
    return not (len(name) == 1 and name.isupper()) and (normal(name) in BARE)


def is_kept(name: str) -> bool:
    """An entry of what may be a dictionary, or a list, of gradients: ``grads["w"]``, ``G["w"]``."""
    return _GRAD_BOX.match(name) is not None


def key_of(name: str) -> str:
    """``w`` for ``params["w"]``: also just w to the one who writes grads["w"]. Other names are themselves."""
    match = re.fullmatch(r'.*\["(\w+)"\]', name)
    return match.group(1) if match else name


@lru_cache(maxsize=100_000)
def singulars(bottom: str) -> tuple[str, ...]:
    """The lists that a normalised name may be one entry of: ``h`` is one of ``hs``; ``hnext`` is as well."""
    out: list[str] = []
    for stem in dict.fromkeys((bottom, *(bottom.removesuffix(end) for end in _MOMENTS))):
        if stem:
            out += (stem, *(stem + end for end in _LISTS))
    return tuple(out)


def list_of(name: str) -> str:
    """What the list is called that an entry is of: ``losses`` of ``losses[3]``; the name itself without brackets."""
    return name.split("[", maxsplit=1)[0]


def stem_of(name: str) -> str:
    """What the entries of a series have in common: ``h`` of ``h2``, ``hs`` of ``hs[3]``."""
    return list_of(name).rstrip("0123456789").rstrip("_")


#: Of a logarithm of a likelihood, statisticians call the gradient its score.
LIKELIHOOD = re.compile(r"ll$|lik|logp|lpl$")
#: What a derivative is called of which nothing else is said.
_GENERIC = re.compile(
    r"^(the|my|exact)?(analytic(al)?|manual|byhand|hand|derivative|deriv|slope|sensitivity)(al)?"
    r"(grad|gradient|derivative|deriv|slope|result|value)?$|^(grad|gradient|derivative|deriv)(analytic(al)?|manual|exact)$"
)
_OF = re.compile(r"^(?P<a>\w+?)_?(?:prime|dash|deriv|derivative)$|^(?:deriv|derivative)(?:_?of)?_?(?P<b>\w+)$")
_RATE = re.compile(r"^(lr|eta|(learn(ing)?)?rate|learnrate|stepsize|lr\d?)$")
_WORDS = ("grad", "prime", "deriv", "backward", "backprop", "jac")


def is_rate(name: str) -> bool:
    """How far the parameters are moved: nothing that anybody differentiates by."""
    return bool(_RATE.match(normal(name.rpartition(".")[2])))


def is_generic(name: str) -> bool:
    """The name says "the derivative", and neither of what nor by what."""
    return bool(_GENERIC.match(normal(name)))


@lru_cache(maxsize=100_000)
def primitives(name: str) -> tuple[str, ...]:
    """What a name such as ``f_prime``, ``deriv_f`` or ``fp`` may be the derivative of, normalised."""
    low = name.removeprefix("self.").lower()
    out: list[str] = []
    match = _OF.match(low)
    if match:
        out.append(normal(match["a"] or match["b"]))
    if low in ("fp", "gp", "fpp", "gpp"):
        out = [low[:-1]]
    return tuple(stem for stem in out if stem and stem != normal(name))


#: Newton's dots, and what they are by.
_DOT = re.compile(r"^(\w*[A-Za-z0-9])_?dot$")
TIMES = frozenset({"t", "time"})


def dotted(name: str) -> str:
    """``x`` for ``x_dot``, normalised: its derivative by the time, where it is a function of that; else empty."""
    match = _DOT.match(name)
    return normal(match[1]) if match is not None else ""


def is_derivation(name: str) -> bool:
    """A function of this name works out a derivative."""
    low = name.lower()
    return any(word in low for word in _WORDS) or bool(re.match(r"^d2?_?[a-z]\w{0,2}$|^d\w+_?d\w+$", low))


@lru_cache(maxsize=100_000)
def is_loss(name: str) -> bool:
    """The name is one of those that losses have, or of a list of them: ``losses[3]``, ``J_history[3]``."""
    plain = _of_one(name)
    return plain in LOSS_NAMES


#: Where it is said whose loss it is: ``lossD``, ``costGen``.
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def is_some_loss(name: str) -> bool:
    """The name is that of a loss, or says whose loss it is: ``g_loss``, ``loss_total``, ``lossD``. Of what has such a
    name and is worked out before anything is differentiated; ``d_loss`` may be a derivative of one."""
    words = _HUMPS.sub("_", name).lower().split("_")
    return is_loss(name) or any(word in SURELY_LOSS for word in words if len(word) > 1)


@lru_cache(maxsize=100_000)
def is_surely_loss(name: str) -> bool:
    """The same, and it is hardly ever the name of anything else."""
    return _of_one(name) in SURELY_LOSS


def is_gain(name: str) -> bool:
    """The name is that of something which is to become large: to step uphill is right there."""
    return _of_one(name) in GAINS


def is_score(name: str, results: Iterable[str]) -> bool:
    """The name is what statisticians call the gradient of one of some results, the logarithm of a likelihood."""
    return normal(name) == "score" and any(LIKELIHOOD.search(normal(result)) for result in results)


def _of_one(name: str) -> str:
    """What one of a list of losses is called, or a loss of which it is said when it was computed: ``mean_loss``."""
    if "[" not in name:
        # compute_error_for_line_given_points
        plain = normal(_FOR.split(name, maxsplit=1)[0])
        if _ERROR_OF.match(plain) is not None:
            return "cost"
        of = _LOSS_OF.match(plain)
        return of[1] if of is not None and of[1] in SURELY_LOSS else plain
    plain = normal(name.split("[", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1])
    return _LOSS_LISTS.get(plain, _HISTORY.sub("", plain))


_LOSS_LISTS = {
    "losses": "loss", "losss": "loss", "costs": "cost", "errors": "error", "objs": "obj", "objectives": "objective",
    "nlls": "nll", "mses": "mse",
}  # fmt: skip
#: A list in which every round puts its loss; what is said of a loss, or of the function that works it out.
_HISTORY = re.compile(r"(?:history|hist|list|logs?|values|vals?|vec|curve|trace|track|array|arr)$")
_FOR = re.compile(
    r"(?<=[a-z])_(?:for|of|given|from|on|with|at|over)(?:_|$)|(?<=[a-z])(?:For|Of|Given|From|On|With)(?=[A-Z])"
)
#: An error may be that of one sample; added up, squared, or worked out by a function, it is a cost.
_ERROR_OF = re.compile(
    r"(?:(?:total|sum|mean|avg|average|overall|calc|calculate|compute|get|evaluate|eval|train(?:ing)?|epoch)"
    r"(?:square[ds]?|sq|abs(?:olute)?|log(?:arithmic)?)?|square[ds]?|sq)(?:err|errors?)$"
)
_LOSS_OF = re.compile(
    r"(?:train(?:ing)?|epoch|avg|average|mean|running|curr?(?:ent)?|batch|new|final|full|this|my|calculate|calc|cal|compute"
    r"|get|evaluate|eval)?(.+?)(?:fn|func|function)?$"
)


def index_of(name: str) -> str:
    """What stands in brackets: ``[3]`` of ``dhs[3]``; empty without."""
    match = _INDEXED.match(name)
    return match.group(2) if match else ""
