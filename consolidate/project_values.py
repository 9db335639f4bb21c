"""The texts of the project file: variables filled in, and what may stand where. What was filled in is never shown.

Everything here notes its problems and goes on, so that one reading of the file finds all of them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from consolidate.mapping import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consolidate.errors import Location

_DOLLAR: Final = re.compile(r"\$\$|\$\{(?P<name>[^}]*)(?P<end>\}?)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE](?P<exponent>[+-]?[0-9]+))?")
_JSON_WORDS: Final = frozenset({"true", "false"})
_BOOLEANS: Final = {"true": True, "false": False, "yes": True, "no": False}
_PASSWORDS: Final = (
    re.compile(r"//[^:@/]*:(.*)@"),
    re.compile(r"password\s*=\s*'((?:[^'\\]|\\.)*)'"),
    re.compile(r"password\s*=\s*([^\s'&]+)"),
)
_LONGEST_SHOWN: Final = 60
_LONGEST_NUMBER: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of the file. `value`, with the variables filled in, is for use only; `shown` is what the file says."""

    value: str = field(repr=False)
    shown: str
    location: Location
    substituted: bool

    def nearest(self, known: Iterable[str]) -> str:
        """A hint of the nearest known name, or of all; of all only where a variable gave the text."""
        names = tuple(known)
        hint = None if self.substituted else yaml.nearest(self.value, names)
        return hint or f"known are: {', '.join(names)}"


class Reading:
    """One reading of the project file: the variables it may use, and the problems it has found."""

    def __init__(self, environment: Mapping[str, str], problems: yaml.Problems) -> None:
        """Begin, with nothing filled in."""
        self.problems = problems
        self._environment = environment
        self._filled_in: dict[str, None] = {}

    @property
    def filled_in(self) -> tuple[str, ...]:
        """Every text that came from a variable."""
        return tuple(self._filled_in)

    def text(self, node: yaml.Node | None, what: str, *, secret: bool = False) -> Text | None:
        """The text of a scalar; None where it is missing or null, and with a problem where it is no text or unset.

        `secret`: the file itself may hold it, so not even what stands there is shown.
        """
        written = yaml.text_of(node, what, self.problems)
        if node is None or written is None:
            return None
        shown = f"the {what}" if secret else shortened(written)
        value = self._substituted(written, node.location)
        if value is None:
            return None
        if _UNSTORABLE.search(value):
            message = f"{what} holds a NUL character or something that is not Unicode text"
            self.problems.add("bad-text", message, node.location, "take it out")
            return None
        return Text(value=value, shown=shown, location=node.location, substituted=value != written)

    def required(self, node: yaml.Mapping, key: str, what: str, *, secret: bool = False) -> Text | None:
        """The text under `key`, not empty; a problem where it is missing, null or empty."""
        found = node.get(key)
        before = len(self.problems)
        text = self.text(found, f"{key} of {what}", secret=secret)
        if text is not None and text.value.strip():
            return text
        if len(self.problems) == before:
            where = node.location if found is None else found.location
            self.problems.add("missing-key", f"{what} needs a text under {key!r}", where, f"add `{key}: …`")
        return None

    def fields(self, node: yaml.Node, what: str, hint: str) -> yaml.Mapping | None:
        """The map, with at least one key; None, with a problem, where it is something else."""
        found = yaml.map_of(node, what, self.problems)
        if found is not None and found.entries:
            return found
        if found is not None or (isinstance(node, yaml.Scalar) and node.text is None):
            self.problems.add("missing-key", f"{what} is empty", node.location, hint)
        return None

    def wrong(self, code: str, message: str, where: Location, hint: str) -> None:
        """Note a problem."""
        self.problems.add(code, message, where, hint)

    def _substituted(self, written: str, where: Location) -> str | None:
        """The text with each `${NAME}` filled in and `$$` as a dollar; None, with problems, where one is not set."""
        missing = False
        parts: list[str] = []
        end = 0
        for match in _DOLLAR.finditer(written):
            parts.append(written[end : match.start()])
            end = match.end()
            value = "$" if match[0] == "$$" else self._variable(match, where)
            missing = missing or value is None
            parts.append(value or "")
        return None if missing else "".join((*parts, written[end:]))

    def _variable(self, match: re.Match[str], where: Location) -> str | None:
        name = match["name"]
        if not match["end"] or not _NAME.fullmatch(name):
            message = f"{shortened(match[0])} is no variable"
            hint = "write `${NAME}` with letters, digits and `_`; a literal `$` before `{` is written `$$`"
            self.problems.add("bad-variable", message, where, hint)
            return None
        value = self._environment.get(name, "")
        if not value:
            state = "empty" if name in self._environment else "not set"
            hint = f"set it before you run consolidate: `export {name}=…`"
            self.problems.add("unset-variable", f"the environment variable {name} is {state}", where, hint)
            return None
        self._filled_in[value] = None
        return value


def shortened(text: str) -> str:
    """A text as it is shown in a message: in quotes, escaped, not too long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def passwords(connection_string: str) -> tuple[str, ...]:
    """What may be a password in a connection string, as written there and decoded; rather too much than too little."""
    written = [match[1] for pattern in _PASSWORDS for match in pattern.finditer(connection_string)]
    return tuple({form for text in written for form in (text, unquote(text)) if form})


def boolean(text: Text | None, what: str, reading: Reading) -> bool:
    """Whether it says true; false where it is missing."""
    if text is None:
        return False
    value = _BOOLEANS.get(text.value.lower())
    if value is None:
        reading.wrong("bad-value", f"{what} must be true or false, not {text.shown}", text.location, "write `true`")
    return bool(value)


def whole(text: Text, what: str, reading: Reading, *, highest: int) -> int | None:
    """A whole number from 0 to `highest`."""
    if not _WHOLE.fullmatch(text.value) or len(text.value) > _LONGEST_NUMBER:
        reading.wrong(
            "bad-value", f"{what} must be a whole number, not {text.shown}", text.location, "write digits only"
        )
        return None
    value = int(text.value)
    if not 0 <= value <= highest:
        reading.wrong("bad-value", f"{what} is out of range: {text.shown}", text.location, f"write 0 to {highest}")
        return None
    return value


def decimal(text: Text, what: str, reading: Reading, *, digits: int, scale: int) -> str | None:
    """A number, not negative, that fits numeric(`digits`, `scale`) without rounding, as its shortest plain text."""
    if not _DECIMAL.fullmatch(text.value) or len(text.value) > _LONGEST_NUMBER:
        hint = "write digits and a point, such as 10000 or 0.05"
        reading.wrong("bad-value", f"{what} must be a decimal number, not {text.shown}", text.location, hint)
        return None
    value = Decimal(text.value)
    if value < 0:
        message = f"{what} must not be negative, as {text.shown} is"
        reading.wrong("bad-value", message, text.location, "write 0 or more")
        return None
    before, _, after = format(value, "f").partition(".")
    before, after = before.lstrip("0"), after.rstrip("0")
    if len(before) > digits - scale or len(after) > scale:
        hint = f"at most {digits - scale} digits before the point and {scale} after it"
        message = f"{what} is numeric({digits},{scale}) and cannot hold {text.shown} exactly"
        reading.wrong("bad-value", message, text.location, hint)
        return None
    return (before or "0") + (f".{after}" if after else "")


def document(node: yaml.Node, what: str, reading: Reading) -> str | None:
    """The node as JSON text: what looks like a JSON number, true or false stays so with all its digits, else text.

    None, with problems, where a text in it cannot be had.
    """
    match node:
        case yaml.Scalar(text=None):
            return "null"
        case yaml.Scalar():
            text = reading.text(node, what)
            if text is None:
                return None
            return _scalar(text, what, reading) if node.plain else json.dumps(text.value, ensure_ascii=False)
        case yaml.Sequence(items=items):
            parts = [document(item, what, reading) for item in items]
            return None if None in parts else f"[{', '.join(part or '' for part in parts)}]"
        case yaml.Mapping(entries=entries):
            return _object(entries, what, reading)


def _object(entries: tuple[yaml.Entry, ...], what: str, reading: Reading) -> str | None:
    parts: list[str] = []
    for entry in entries:
        value = document(entry.value, what, reading)
        if _UNSTORABLE.search(entry.key):
            message = f"{what} has a key with a NUL character or something that is not Unicode text"
            reading.wrong("bad-text", message, entry.location, "take it out")
        elif value is not None:
            parts.append(f"{json.dumps(entry.key, ensure_ascii=False)}: {value}")
    return f"{{{', '.join(parts)}}}" if len(parts) == len(entries) else None


def _scalar(text: Text, what: str, reading: Reading) -> str | None:
    number = _JSON_NUMBER.fullmatch(text.value)
    if number is None:
        return text.value if text.value in _JSON_WORDS else json.dumps(text.value, ensure_ascii=False)
    exponent = (number["exponent"] or "0").lstrip("+-")
    if len(text.value) > _LONGEST_NUMBER or len(exponent) > len(str(_LONGEST_NUMBER)):
        message = f"{what} has the number {text.shown}, which no database holds"
        reading.wrong("bad-value", message, text.location, "write it shorter")
        return None
    return text.value
