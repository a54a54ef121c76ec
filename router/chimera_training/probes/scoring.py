r"""Whether a reply gives the right answer, decided on its text alone: nothing that a model wrote is ever run.

The answer stands after the last `Answer:`, on its line or in the fenced block below it; failing that, in the last
`\boxed{}`. Markdown, LaTeX marks, quotes, currency signs, thousands separators and a full stop at the end are ignored.
"""

import ast
import re
import warnings
from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation
from fractions import Fraction

from chimera_training.probes.probe import Form

# Characters of an answer that are looked at: the longest reference has under a hundred, and parsing takes time.
LONGEST_ANSWER = 400

_MARK = re.compile(r"answer[*_`]*[ \t]*[:：][*_`]*", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```|~~~)[ \t]*\w*[ \t]*\r?\n(?P<code>.*?)(?:```|~~~|\Z)", re.DOTALL)
_BOXED = re.compile(r"\\boxed\{(?P<inside>[^{}]*)\}")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?:/\d+)?")
_LETTER = re.compile(r"(?<![A-Za-z])[A-J](?![A-Za-z'])")
_LATEX = re.compile(r"\\[()\[\]]|\\text\{|\\%|\\\$")
_TRIMMED = " \t\r\n*_`\"'“”‘’.,;!"


def extract(reply: str) -> str | None:
    """Return the answer that a reply gives, in its own words; None where it gives none."""
    marks = list(_MARK.finditer(reply))
    if marks:
        after = reply[marks[-1].end() :]
        fence = _FENCE.match(after)
        text = fence["code"] if fence else after.lstrip().partition("\n")[0]
    else:
        boxes = _BOXED.findall(reply)
        text = boxes[-1] if boxes else ""
    return _plain(text[:LONGEST_ANSWER]) or None


def is_right(reply: str, *, answer: str, form: Form) -> bool:
    """Return whether a reply's answer equals the reference."""
    given = extract(reply)
    return given is not None and _EQUAL[form](given, answer)


def _plain(text: str) -> str:
    boxed = _BOXED.search(text)
    return _LATEX.sub("", boxed["inside"] if boxed else text).strip().strip("*_`").strip()


def _equal_numbers(given: str, answer: str) -> bool:
    """Compare values; a reference with decimals was asked for rounded, so a more exact answer is right too."""
    value, reference = _number(given), Decimal(answer)
    if value is None:
        return False
    digits = -int(reference.as_tuple().exponent)
    if digits <= 0:
        return value == Fraction(reference)
    return abs(value) < 10**12 and _rounded(value, digits) == reference


def _number(text: str) -> Fraction | None:
    result = text.rpartition("=")[2].replace("−", "-").replace(",", "").replace("$", "")
    found = _NUMBER.search(result)
    if found is None:
        return None
    try:
        return Fraction(found[0]) if "e" not in found[0].lower() else Fraction(Decimal(found[0].partition("/")[0]))
    except (ValueError, ZeroDivisionError, InvalidOperation, DivisionByZero):
        return None


def _rounded(value: Fraction, digits: int) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def _equal_literals(given: str, answer: str) -> bool:
    value, reference = _literal(given), _literal(answer)
    return type(value) is type(reference) and value == reference


def _literal(text: str) -> object:
    """Return the value of a Python literal; of anything else, its text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SyntaxWarning about a model's escapes
        try:
            value: object = ast.literal_eval(text.rstrip(".;"))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return text.strip(_TRIMMED)
        return value


def _equal_letters(given: str, answer: str) -> bool:
    found = _LETTER.search(given)
    return found is not None and found[0] == answer


def _equal_texts(given: str, answer: str) -> bool:
    return given.strip(_TRIMMED).casefold() == answer.casefold()


_EQUAL = {
    Form.NUMBER: _equal_numbers,
    Form.LITERAL: _equal_literals,
    Form.LETTER: _equal_letters,
    Form.TEXT: _equal_texts,
}
