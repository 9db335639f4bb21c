r"""JSON documents as text: strictly checked, and their numbers tagged so that DuckDB keeps every character of them.

DuckDB turns numbers into doubles when it parses. So each number outside strings becomes a string that begins with a
mark, a private character that the text does not hold: `{"p": 1.10}` → `{"p": "<mark>1.10"}`. The whole text goes
through a few regular expressions; there is no Python object a row or cell.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from consolidate.errors import Location
from consolidate.extract.snapshot_files import SnapshotFile, broken

if TYPE_CHECKING:
    import polars as pl

    from consolidate.errors import UnreachableError

MARKS: Final = tuple(
    chr(code) for code in range(0xE000, 0xE0FE, 2)
)  # of the private use area; each with the one after it
_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_HALF_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")


def free_mark(text: str) -> str | None:
    """A mark that `text` holds neither as it is nor escaped, nor the one after it; None where there is no such mark."""
    folded = text.lower() if r"\u" in text else ""
    for mark in MARKS:
        pair = (mark, _closing(mark))
        if not any(each in text or rf"\u{ord(each):04x}" in folded for each in pair):
            return mark
    return None


def wrapped(texts: pl.Series, skipped: str, wanted: str, mark: str) -> pl.Series:
    """The texts with each `wanted` that is not within a `skipped` put between the mark and the one after it."""
    close = _closing(mark)
    both = texts.str.replace_all(f"({skipped})|({wanted})", f"${{1}}{mark}${{2}}{close}")
    return both.str.replace_all(mark + close, "", literal=True)


def tagged(texts: pl.Series, mark: str) -> pl.Series:
    """The texts with each number outside of strings turned into a string that begins with `mark`."""
    close = _closing(mark)
    return wrapped(texts, _STRING, _NUMBER, mark).str.replace_all(f"{mark}([^{close}]+){close}", f'"{mark}${{1}}"')


def _closing(mark: str) -> str:
    return chr(ord(mark) + 1)


def stray(texts: pl.Series, mark: str) -> pl.Series:
    """Whether each tagged text has what DuckDB lets pass but JSON forbids: NaN, a last comma, a number as key."""
    bare = texts.str.replace_all(_STRING, '""')
    structure = bare.str.replace_all("true|false|null", "")
    return (
        structure.str.contains(r'[^\[\]{}:, \t\r\n"]')
        | bare.str.contains(r",[ \t\r\n]*[\]}]")
        | texts.str.contains(f'"{mark}[^"]*"[ \\t\\r\\n]*:')
    )


def invalid_json(source: str, file: SnapshotFile, text: str) -> UnreachableError:
    """What is wrong in a text that is no strict JSON, with line and column; only used once something is wrong."""
    line, column, expected = _fault(text)
    return broken(
        source,
        "invalid-json",
        f"{file.path}:{line}:{column} is not valid JSON: {expected}",
        "the file is cut off or the bot was writing it: take it again, then run again",
        location=Location(file=str(file.path), line=line, column=column),
    )


def _fault(text: str) -> tuple[int, int, str]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno, error.colno, _lowered(error.msg)
    except RecursionError:
        return 1, 1, "it is nested too deeply"
    blanked = re.sub(_STRING, lambda match: " " * len(match.group()), text)
    constant = re.search(r"NaN|-?Infinity", blanked)
    if constant is not None:
        return *_place(text, constant.start()), f"{constant.group()} is not a JSON number"
    half = _HALF_PAIR.search(text)
    if half is not None:
        return *_place(text, half.start()), f"{half.group()}.. is half of a surrogate pair"
    return 1, 1, "DuckDB cannot read it"


def _place(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
