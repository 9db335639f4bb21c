"""Values of a store as a person sees them: nothing in them can command the terminal, and long ones are shortened."""

from __future__ import annotations

import re
from typing import Final

NOT_RECORDED: Final = "–"  # noqa: RUF001 - an en dash, so that nobody takes it for a minus sign

_LONGEST: Final = 60
_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,100})(?:\.([0-9]+))?")
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def plain(text: str, *, longest: int = _LONGEST) -> str:
    """A name or a key from a store on one line: characters that do not print are escaped, a long one ends in `…`."""
    shown = ""
    for character in text:
        shown += _character(character)
        if len(shown) > longest:
            return f"{shown[: longest - 1]}…"
    return shown


def safe(text: str) -> str:
    """Our own text of several lines, without what could command the terminal."""
    return "".join(character if character in "\n\\" else _character(character) for character in text)


def quoted(value: str | None) -> str:
    """A value from a store: in quotes, as `plain`; `null` for None."""
    if value is None:
        return "null"
    shown = plain(value)
    return f"'{shown}' ({len(value):,} characters)" if shown.endswith("…") else f"'{shown}'"


def count(number: int) -> str:
    """A number of rows, with separators."""
    return f"{number:,}"


def rows(number: int, noun: str = "row") -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def amount(decimal: str | None, *, decimals: int = 0) -> str:
    """A decimal with separators and all its digits, without zeros that say nothing; a dash for None.

    `decimals` are shown at least.
    """
    if decimal is None:
        return NOT_RECORDED
    parts = _DECIMAL.fullmatch(decimal)
    if parts is None:
        return plain(decimal)
    fraction = (parts[3] or "").rstrip("0").ljust(decimals, "0")
    return f"{parts[1]}{int(parts[2]):,}{'.' if fraction else ''}{fraction}"


def _character(character: str) -> str:
    named = _NAMED.get(character)
    if named is not None:
        return named
    if character.isprintable():
        return character
    point = ord(character)
    if point < 0x100:  # noqa: PLR2004
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"  # noqa: PLR2004
