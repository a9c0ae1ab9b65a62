"""The LaTeX that symgrad writes, as MathML, and how wide it will be.

This reads the subset of LaTeX that the other renderings emit (and that the table of ops and SymPy's printer use), not
LaTeX at large. What it does not know becomes plain text, never markup: every character that comes from outside is
escaped here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

_TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|[{}^_&]|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\s+|.", re.S)
#: Groups nested deeper than this are shown as text.
DEEPEST = 60

_GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
        "phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(),
        "αβγδϵεζηθικλμνξπρστυϕφχψωΓΔΘΛΞΠΣΥΦΨΩ",
        strict=True,
    )
)
#: LaTeX's names of signs, each before its sign.
_SIGNS = (
    "cdot · times × odot ⊙ otimes ⊗ circ ∘ ast ∗ pm ± le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ in ∈ to → mid | dots … "
    "ldots … cdots ⋯ vdots ⋮ lvert | rvert | lVert ‖ rVert ‖ wedge ∧ vee ∨ neg ¬ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ "
    "equiv ≡ langle ⟨ rangle ⟩ colon : cup ∪ cap ∩ bmod mod leftarrow ← gets ← backslash \\ sim ∼"
).split()
_OPERATORS = dict(zip(_SIGNS[::2], _SIGNS[1::2], strict=True))
_LARGE = {"sum": "∑", "prod": "∏", "int": "∫"}
_LETTERS = {"partial": "∂", "infty": "∞", "top": "⊤", "nabla": "∇", "ell": "ℓ", "emptyset": "∅"}
_FUNCTIONS = frozenset(
    "sin cos tan sec csc cot sinh cosh tanh coth arcsin arccos arctan log ln exp max min det gcd arg lim sup inf "
    "dim".split()
)
_SPACES = {",": 0.17, ":": 0.22, ";": 0.28, " ": 0.3, "!": 0.0, "quad": 1.0, "qquad": 2.0, ">": 0.22}
_BLACKBOARD = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "C": "ℂ", "E": "𝔼"}
_ROOTS = frozenset(("sqrt",))
_SIZES = frozenset("big bigl bigr Big Bigl Bigr bigg biggl biggr limits displaystyle textstyle".split())
_ESCAPED = {"{": "{", "}": "}", "_": "_", "%": "%", "&": "&", "#": "#", "$": "$", "|": "‖"}


@dataclass(frozen=True, slots=True)
class Box:
    """A piece of typeset mathematics.

    Attributes:
        xml: as MathML.
        width: about how wide, in em.
        kind: ``"op"`` for what stands between operands, ``"fn"`` for a function's name, ``"large"`` for a sum sign.
        text: what it says, for comparison: the characters alone.
    """

    xml: str
    width: float
    kind: str = ""
    text: str = ""


def mathml(latex: str, *, block: bool = False) -> str:
    """A ``<math>`` element.

    Args:
        latex: without ``$``; a formula of one line.
        block: on a line of its own, with large fractions.
    """
    display = ' displaystyle="true"' if block else ""
    return f"<math{display}>{typeset(latex).xml}</math>"


def width(latex: str) -> float:
    """About how wide a formula is when it is typeset, in em."""
    return typeset(latex).width


def typeset(latex: str) -> Box:
    """The whole formula as one box."""
    reader = _Reader(latex)
    boxes = list(reader.boxes(stop=""))
    return _row(boxes)


def _row(boxes: list[Box]) -> Box:
    if len(boxes) == 1:
        return boxes[0]
    out = []
    before: Box | None = None
    for box, after in zip(boxes, [*boxes[1:], None], strict=False):
        if box.kind == "fn" and before is not None and before.kind in ("", "fn"):
            out.append('<mspace width="0.17em"></mspace>')
        out.append(box.xml)
        before = box
        if box.kind == "fn" and after is not None and after.kind != "script":
            out.append("<mo>&#x2061;</mo>")
    return Box(f"<mrow>{''.join(out)}</mrow>", sum(b.width for b in boxes), "", "".join(b.text for b in boxes))


def _mi(text: str, *, upright: bool = False, bold: bool = False, kind: str = "") -> Box:
    look = ' mathvariant="normal"' if upright or bold else ""
    look += ' class="b"' if bold else ""
    wide = 0.55 * len(text) if text.isascii() else 0.65 * len(text)
    return Box(f"<mi{look}>{escape(text)}</mi>", wide, kind, text)


def _mo(text: str, wide: float = 0.8, *, kind: str = "op", extra: str = "") -> Box:
    return Box(f"<mo{extra}>{escape(text)}</mo>", wide, kind, text)


class _Reader:
    """One pass over the tokens of a formula."""

    def __init__(self, latex: str) -> None:
        self.tokens = _TOKEN.findall(latex)
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def boxes(self, stop: str) -> Iterator[Box]:
        """Boxes up to the token ``stop``, which is read as well; sub- and superscripts belong to the one before."""
        waiting: Box | None = None
        while token := self.peek():
            if token == stop:
                self.at += 1
                break
            if token in ("^", "_"):
                waiting = self.scripted(waiting or Box("<mrow></mrow>", 0.0))
                continue
            if token == "'":
                self.at += 1
                base = waiting or Box("<mrow></mrow>", 0.0)
                waiting = Box(f"<msup>{base.xml}<mo>′</mo></msup>", base.width + 0.3, base.kind, base.text + "'")
                continue
            if token in ("&", "\\\\"):
                if stop in ("\\end", "\\right"):
                    break
                self.at += 1
                continue
            if waiting is not None:
                yield waiting
            waiting = self.single()
        if waiting is not None:
            yield waiting

    def scripted(self, base: Box) -> Box:
        marks: dict[str, Box] = {}
        while self.peek() in ("^", "_") and self.peek() not in marks:
            mark = self.take()
            marks[mark] = self.argument()
        sub, sup = marks.get("_"), marks.get("^")
        wide = 0.72 * max(b.width for b in marks.values())
        text = base.text + "".join(k + b.text for k, b in marks.items())
        over = base.kind == "large"
        if sub and sup:
            tag = "munderover" if over else "msubsup"
            return Box(f"<{tag}>{base.xml}{sub.xml}{sup.xml}</{tag}>", base.width + wide, base.kind, text)
        tag = ("munder" if sub else "mover") if over else ("msub" if sub else "msup")
        mark_xml = (sub or sup or base).xml
        return Box(f"<{tag}>{base.xml}{mark_xml}</{tag}>", base.width + wide, base.kind, text)

    def argument(self) -> Box:
        """What a command or a script applies to: a group, or one token."""
        if self.peek() != "{":
            return self.single() if self.peek() else Box("<mrow></mrow>", 0.0)
        self.at += 1
        self.depth += 1
        if self.depth > DEEPEST:
            raise RecursionError("too deep")
        out = _row(list(self.boxes("}")))
        self.depth -= 1
        return out

    def plain(self) -> str:
        """A group's characters as they are."""
        if self.peek() != "{":
            return self.take()
        self.at += 1
        out, depth = [], 0
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token == "}" and depth == 0:
                break
            depth += (token == "{") - (token == "}")
            if token.startswith("\\"):
                word = token[1:]
                token = _GREEK.get(word) or _ESCAPED.get(word) or (" " if word in _SPACES else "")
                if word.startswith("text"):
                    token = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^"}.get(word, "")
            # MathML drops blanks at the ends of a text; these do not break either.
            out.append("" if token in ("{", "}") else "\u00a0" if token.isspace() else token)
        return "".join(out)

    def single(self) -> Box:
        token = self.take()
        if token == "{":
            self.at -= 1
            return self.argument()
        if token.startswith("\\"):
            return self.command(token[1:])
        if token[0].isdigit():
            return Box(f"<mn>{token}</mn>", 0.5 * len(token), "", token)
        if token == "-":
            return _mo("−", 0.9)
        if token in "+=<>/*:":
            return _mo(token, 0.9 if token in "+=<>" else 0.5)
        if token in "()[]|":
            return _mo(token, 0.4, kind="fence", extra=' stretchy="false"')
        if token in ",;.!":
            return _mo(token, 0.4, kind="mark")
        if token.isalpha():
            return _mi(token)
        return Box(f"<mtext>{escape(token)}</mtext>", 0.6, "", token)

    def command(self, word: str) -> Box:
        starred = word.rstrip("*")
        if word in _GREEK:
            return _mi(_GREEK[word])
        if word in _LETTERS:
            return _mi(_LETTERS[word], upright=True)
        if word in _FUNCTIONS:
            return _mi(word, upright=True, kind="fn")
        if word in _OPERATORS:
            return _mo(_OPERATORS[word], 0.6)
        if word in _LARGE:
            return _mo(_LARGE[word], 1.2, kind="large")
        if word in _SPACES:
            return Box(f'<mspace width="{_SPACES[word]}em"></mspace>', _SPACES[word], "space", " ")
        if word in _ESCAPED:
            return _mo(_ESCAPED[word], 0.5, kind="fence") if word in "{}|" else Box(
                f"<mtext>{escape(_ESCAPED[word])}</mtext>", 0.6, "", _ESCAPED[word]
            )  # fmt: skip
        if word in ("mathrel", "mathbin", "mathord"):
            return self.argument()
        if word in _SIZES:
            return self.single() if self.peek() else Box("", 0.0)
        if word == "left":
            return self.fenced()
        if word in ("frac", "tfrac", "dfrac"):
            top, bottom = self.argument(), self.argument()
            wide = max(top.width, bottom.width) + 0.3
            return Box(f"<mfrac>{top.xml}{bottom.xml}</mfrac>", wide, "", f"({top.text})/({bottom.text})")
        if word in _ROOTS:
            return self.root()
        if starred == "operatorname":
            return _mi(self.plain(), upright=True, kind="fn")
        if word in ("mathrm", "mathbf", "boldsymbol", "mathit", "mathtt", "mathsf", "bm"):
            return self.styled(word)
        if word in ("text", "texttt", "textrm", "mbox"):
            text = self.plain()
            return Box(f"<mtext>{escape(text)}</mtext>", 0.5 * len(text), "", text)
        if word == "mathbb":
            name = self.plain()
            return _mi(_BLACKBOARD.get(name, name), upright=True)
        if word in ("bar", "overline", "hat", "tilde", "dot"):
            inner = self.argument()
            mark = {"hat": "^", "tilde": "~", "dot": "˙"}.get(word, "¯")
            stretchy = str(word == "overline").lower()
            xml = f'<mover accent="true">{inner.xml}<mo stretchy="{stretchy}">{mark}</mo></mover>'
            return Box(xml, inner.width, "", f"bar({inner.text})")
        if word in ("sgwrong", "sgright"):
            inner = self.argument()
            name = word.removeprefix("sg")
            return Box(f'<mrow class="{name}">{inner.xml}</mrow>', inner.width, "", inner.text)
        if word == "begin":
            return self.environment(self.plain())
        return Box(f"<mtext>{escape(word)}</mtext>", 0.5 * len(word), "", word)

    def styled(self, word: str) -> Box:
        start = self.at
        text = self.plain()
        bold = word in ("mathbf", "boldsymbol", "bm")
        if "\\" in "".join(self.tokens[start : self.at]) and not bold:
            return _mi(text, upright=True)
        return _mi(text, upright=True, bold=bold)

    def root(self) -> Box:
        if self.peek() == "[":
            self.at += 1
            degree = _row(list(self.boxes("]")))
            inner = self.argument()
            return Box(f"<mroot>{inner.xml}{degree.xml}</mroot>", inner.width + 1.0, "", f"root({inner.text})")
        inner = self.argument()
        return Box(f"<msqrt>{inner.xml}</msqrt>", inner.width + 0.8, "", f"sqrt({inner.text})")

    def delimiter(self) -> str:
        token = self.take()
        if not token.startswith("\\"):
            return "" if token == "." else token
        return _OPERATORS.get(token[1:]) or _ESCAPED.get(token[1:]) or ""

    def fenced(self) -> Box:
        self.depth += 1
        if self.depth > DEEPEST:
            raise RecursionError("too deep")
        before = self.delimiter()
        inner = _row(list(self.boxes("\\right")))
        after = self.delimiter()
        self.depth -= 1
        left = f'<mo fence="true">{escape(before)}</mo>' if before else ""
        right = f'<mo fence="true">{escape(after)}</mo>' if after else ""
        return Box(
            f"<mrow>{left}{inner.xml}{right}</mrow>", inner.width + 0.8, "", f"{before}{inner.text}{after}"
        )

    def environment(self, name: str) -> Box:
        rows: list[list[Box]] = [[]]
        self.depth += 1
        while self.peek() not in ("", "\\end"):
            rows[-1].append(_row(list(self.boxes("\\end"))))
            if self.at and self.tokens[self.at - 1] == "\\end":
                self.at -= 1
                break
            mark = self.take()
            if mark == "\\\\":
                rows.append([])
        if self.peek() == "\\end":
            self.at += 1
            self.plain()
        self.depth -= 1
        body = "".join("<mtr>" + "".join(f"<mtd>{c.xml}</mtd>" for c in row) + "</mtr>" for row in rows if row)
        wide = max((sum(c.width + 0.6 for c in row) for row in rows), default=0.0)
        text = ";".join(",".join(c.text for c in row) for row in rows)
        edges = {"cases": ("{", ""), "bmatrix": ("[", "]"), "pmatrix": ("(", ")")}.get(name, ("", ""))
        left, right = (f'<mo fence="true">{e}</mo>' if e else "" for e in edges)
        look = ' columnalign="left"' if name == "cases" else ""
        return Box(f"<mrow>{left}<mtable{look}>{body}</mtable>{right}</mrow>", wide + 0.8, "", text)
