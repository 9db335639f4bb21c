"""How the cells of one SQLite column travel: what SQLite is asked for, and what DuckDB makes of it.

The Arrow driver gives each output one type, that of its first rows, so each output here is of one storage class and
never null. A column of one class is stored once and its class column is computed by a view; only mixed columns store
it. Text travels as text as long as all of it is UTF-8 (a NUL in it is kept); otherwise the table is read once more
with the text as bytes, and a text that is no UTF-8 becomes class `invalid` with its bytes in hex.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from consolidate.extract.staged import CLASS
from consolidate.staging import quoted

_FILLERS: Final = {"integer": "0", "real": "0.0", "text": "''"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One column: the `outputs` to select from SQLite, what to `store` of them, and the `view` over that."""

    outputs: tuple[str, ...]
    store: tuple[str, ...]
    view: tuple[str, ...]


def cell_of(number: int, name: str, classes: frozenset[str], *, text_as_bytes: bool) -> Cell:
    """How to read column `number`, called `name`, that holds exactly these storage classes (none: it has no rows)."""
    column, value = quoted(name), f"v{number}"
    held = classes - {"null"}
    if not held:
        return _viewed(name, (), "null::varchar", "'null'")
    if "text" in held and (text_as_bytes or len(held) > 1):
        return _mixed(number, name)
    if len(held) > 1 or (held == {"blob"} and "null" in classes):
        return _mixed(number, name)
    (only,) = held
    if "null" in classes:
        absent = f"n{number}"
        return _viewed(
            name,
            (f"ifnull({column}, {_FILLERS[only]}) as {value}", f"{column} is null as {absent}"),
            f"case when {absent} = 0 then {value}::varchar end",
            f"case when {column} is null then 'null' else '{only}' end",
        )
    stored = f"hex({value})" if only == "blob" else f"{value}::varchar"
    return _viewed(name, (f"{column} as {value}",), stored, f"'{only}'")


def _viewed(name: str, outputs: tuple[str, ...], value: str, storage_class: str) -> Cell:
    column = quoted(name)
    return Cell(
        outputs=outputs,
        store=(f"{value} as {column}",),
        view=(column, f"{storage_class} as {quoted(name + CLASS)}"),
    )


def _mixed(number: int, name: str) -> Cell:
    column, value, kind, real = quoted(name), f"v{number}", f"k{number}", f"r{number}"
    decoded = f"try(decode({value}))"
    staged = (
        f"case {kind} when 'null' then null when 'real' then {real}::varchar when 'blob' then hex({value})"
        f" else coalesce({decoded}, hex({value})) end"
    )
    storage_class = f"case when {kind} = 'text' and {decoded} is null then 'invalid' else {kind} end"
    return Cell(
        outputs=(
            f"typeof({column}) as {kind}",
            f"case typeof({column}) when 'real' then {column} else 0.0 end as {real}",
            f"case when typeof({column}) in ('real', 'null') then x'' else cast({column} as blob) end as {value}",
        ),
        store=(f"{staged} as {column}", f"{storage_class} as {quoted(name + CLASS)}"),
        view=(column, quoted(name + CLASS)),
    )
