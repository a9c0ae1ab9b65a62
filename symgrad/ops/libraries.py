"""How NumPy and torch call the ops: their names beyond the one that an op declares, and their keywords."""

from __future__ import annotations

#: Functions that a library has under the name, or another accepted spelling, of an op of the table. Stated here, since
#: torch cannot be asked without importing it, and since the table names one witness of each op, not all of its names.
SAME_NAME: dict[str, str] = {
    "numpy": "abs acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh cbrt cos "
    "cosh exp expm1 fabs heaviside hypot log log10 log1p log2 logaddexp maximum minimum pow sign sin sinh sqrt tan "
    "tanh",
    "torch": "abs acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh cos "
    "cosh digamma div eq erf erfc exp expm1 ge gt heaviside hypot le lgamma log log10 log1p log2 logaddexp lt maximum "
    "minimum mul ne neg polygamma pow relu sigmoid sign sgn sin sinh sqrt sub tan tanh where",
    "torch.nn.functional": "elu gelu hardtanh leaky_relu logsigmoid mish relu sigmoid silu softplus softsign tanh",
    "torch.special": "digamma erf erfc expit expm1 gammaln log1p polygamma psi",
    "scipy.special": "cbrt digamma erf erfc expm1 gamma gammaln log1p polygamma psi",
}

#: Names of an op that no spelling of the table has.
ALSO: dict[str, tuple[str, ...]] = {
    "abs": ("numpy.absolute", "torch.absolute"),
    "pow": ("numpy.float_power", "torch.float_power"),
    "div": ("numpy.true_divide", "torch.divide", "torch.true_divide"),
    "sub": ("torch.subtract",),
    "mul": ("torch.multiply",),
    "neg": ("torch.negative",),
    "max": ("numpy.fmax", "torch.fmax"),
    "min": ("numpy.fmin", "torch.fmin"),
    "lt": ("torch.less",),
    "gt": ("torch.greater",),
    "le": ("torch.less_equal",),
    "ge": ("torch.greater_equal",),
    "ne": ("torch.not_equal",),
}

#: Names of an op's inputs where a script gives them by keyword.
KEYWORDS: dict[str, tuple[str, ...]] = {
    "leaky_relu": ("input", "negative_slope"),
    "elu": ("input", "alpha"),
    "heaviside": ("input", "values"),
    "pow": ("input", "exponent"),
    "where": ("condition", "input", "other"),
}

#: Ops that a library also takes with their first input only, as another function; in words.
ALONE: dict[str, str] = {"where": "with a condition only"}
