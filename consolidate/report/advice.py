"""What to do about the rows of each reject code: one sentence a code."""

from __future__ import annotations

from typing import Final

from consolidate.model import RejectCode

ADVICE: Final[dict[RejectCode, str]] = {
    RejectCode.NULL_KEY: "Give the row a key in the source; a row without one cannot be found again.",
    RejectCode.DUPLICATE_KEY: "Several rows have this key: correct the source, or name more columns under `key`.",
    RejectCode.STORAGE_CLASS: "The cell holds another kind of value than its column declares: correct the source, "
    "or the type under `columns`.",
    RejectCode.BAD_VALUE: "The cell cannot be read as its type: correct the source, or the type under `columns`.",
    RejectCode.NOT_FINITE: "NaN and infinity are no numbers for the target: correct the source.",
    RejectCode.NUL_BYTE: "PostgreSQL holds no NUL character: take it out of the source.",
    RejectCode.BAD_JSON: "The text is no JSON that PostgreSQL holds: correct the source, or use `json_or`.",
    RejectCode.AMBIGUOUS_TIME: "The clock showed this local time twice: write it in the source with its offset.",
    RejectCode.SKIPPED_TIME: "The clock never showed this local time: correct the source, or its `time_zone`.",
    RejectCode.UNMAPPED_VALUE: "Add the value to the value map, or correct it in the source.",
    RejectCode.UNKNOWN_BOT: "Add a bot for this value under `bots:` of the source in the project file.",
    RejectCode.DUPLICATE_BOT: "Two bots would have one id, and their histories would be one: give this row's bot "
    "another, `<key>: {id: …}` under `bots:` of the source in the project file.",
    RejectCode.MISSING_VALUE: "The target requires a value: fill it in the source, or give the column another rule.",
    RejectCode.INEXACT: "The number has more decimals than the target holds: say `round(x, n)` if it may lose them.",
    RejectCode.OUT_OF_RANGE: "The value is too large for the column of the target: correct the source.",
    RejectCode.TOO_LONG: "The text is too long for the column of the target: shorten it in the source.",
    RejectCode.CHECK_VIOLATION: "The row breaks a constraint of the target: correct the source, or the mapping.",
    RejectCode.DUPLICATE_TARGET: "Another row has this key in the target already: correct the source, or say how to "
    "merge them.",
    RejectCode.MISSING_REFERENCE: "The row that this one refers to is not there: restore it, or say `null` in the "
    "`find`, or under `references` of the mapping.",
    RejectCode.REJECTED_REFERENCE: "The row that this one belongs to was rejected: mend that one first.",
    RejectCode.IRREGULAR_SPACING: "The rows of its series do not tell this row's interval: correct the source, or "
    "accept the code under `limits`.",
    RejectCode.UNMATCHED_CLOSE: "The opening event is not in the log: bring an older log, or accept the code under "
    "`limits`.",
    RejectCode.UNOBSERVED_CLOSE: "An older snapshot has this trade open and nothing tells its end: bring the log or "
    "the report, or accept the code under `limits`.",
    RejectCode.SOURCE_CONFLICT: "Two sources contradict each other: correct one of them, or leave one out.",
}
"""Complete: every code is there."""
