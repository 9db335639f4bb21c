r"""The canonical text of a row, written once as SQL for DuckDB and once for PostgreSQL, and the hash over it.

A value's text is the one that PostgreSQL itself gives it in our session (`value::text` with TimeZone UTC and DateStyle
ISO): decimals at their column's scale, times as `2024-01-31 12:00:00.5+00`, arrays as `{a,"b c"}`. The SQL for DuckDB
makes the same text from a candidate. A row's text is its values' texts in the order of the contract (without the serial
id), joined by commas; texts of varying form are led by their length in bytes (`5:a,b c`), so that a null (nothing), an
empty text (`0:`) and any cut between two columns are told apart.

DuckDB cannot make the text of a jsonb (order of members, spelling of numbers and strings). So the hash has two steps:
`plain` is the MD5 over the values that are not JSON, which both sides compute; `row_hash` is `plain` itself where the
table has no JSON columns, else the MD5 over `plain` and the texts of its jsonb values, which PostgreSQL computes.

The same texts, escaped, are the cells of the lines that `COPY … FROM` takes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, assert_never

from consolidate.staging import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consolidate.target.contract import ColumnContract, TableContract

NULL_CELL: Final = r"'\N'"
_ARRAY_SPECIAL: Final = r'["\\{},\s\x0b]'
_COPY_SPECIAL: Final = r"[\\\n\r\t]"


class Form(Enum):
    """How a column's values look as text."""

    FIXED = "fixed"  # digits, a date, true or false: never empty, never with a comma
    TIME = "time"
    TEXT = "text"
    TEXTS = "texts"
    JSON = "json"


def form(column: ColumnContract) -> Form:
    """The form of a column of the contract. Raises `TypeError` for a type that the contract has not had so far."""
    match column.type.partition("(")[0]:
        case "numeric" | "integer" | "bigint" | "boolean" | "date":
            return Form.FIXED
        case "timestamp with time zone":
            return Form.TIME
        case "text" | "character varying":
            return Form.TEXT
        case "text[]":
            return Form.TEXTS
        case "jsonb":
            return Form.JSON
        case other:
            raise TypeError(other)


def is_serial(column: ColumnContract) -> bool:
    """Whether the column's default is the next number of a sequence; candidates do not have it."""
    return column.default is not None and "nextval(" in column.default


def columns(table: TableContract) -> tuple[ColumnContract, ...]:
    """The columns that a candidate has: all but the serial id, in the contract's order."""
    return tuple(column for column in table.columns if not is_serial(column))


def plain_columns(table: TableContract) -> tuple[ColumnContract, ...]:
    """The candidate's columns that are not JSON."""
    return tuple(column for column in columns(table) if form(column) is not Form.JSON)


def json_columns(table: TableContract) -> tuple[ColumnContract, ...]:
    """The candidate's columns that are JSON."""
    return tuple(column for column in columns(table) if form(column) is Form.JSON)


def name_list(selected: Iterable[ColumnContract], alias: str | None = None) -> str:
    """The columns' quoted names, separated by commas."""
    prefix = "" if alias is None else f"{alias}."
    return ", ".join(prefix + quoted(column.name) for column in selected)


def duckdb_text(column: ColumnContract, alias: str) -> str:
    """DuckDB SQL for PostgreSQL's text of a candidate's value (of JSON: the text as it is); null for null."""
    return duckdb_text_of(form(column), f"{alias}.{quoted(column.name)}")


def duckdb_text_of(of: Form, value: str) -> str:
    """DuckDB SQL for PostgreSQL's text of what the DuckDB SQL `value` gives."""
    match of:
        case Form.TEXT | Form.JSON:
            return value
        case Form.FIXED:
            return f"cast({value} as varchar)"
        case Form.TIME:
            text = f"cast({value} as varchar)"
            return (
                f"case when {value} >= timestamp '0001-01-01' and isfinite({value}) then {text} || '+00'"
                f" when isfinite({value}) then replace({text}, ' (BC)', '') || '+00 BC' else {text} end"
            )
        case Form.TEXTS:
            return _duckdb_array(value)
        case unknown:
            assert_never(unknown)


def _duckdb_array(value: str) -> str:
    # As array_out does it.
    escaped = r"""'"' || replace(replace(e, '\', '\\'), '"', '\"') || '"'"""
    element = (
        "case when e is null then 'NULL'"
        f" when e = '' or lower(e) = 'null' or regexp_matches(e, {literal(_ARRAY_SPECIAL)}) then {escaped} else e end"
    )
    joined = f"array_to_string(list_transform({value}, lambda e: {element}), ',')"
    return f"case when {value} is not null then '{{' || coalesce({joined}, '') || '}}' end"


def postgres_text(column: ColumnContract, alias: str) -> str:
    """PostgreSQL SQL for the text of a stored value; null for null."""
    return f"{alias}.{quoted(column.name)}::text"


def duckdb_plain(selected: Sequence[ColumnContract], alias: str) -> str:
    """DuckDB SQL for the MD5, in hex, over a candidate's values in `selected` (none of them JSON)."""
    parts = []
    for column in selected:
        text = duckdb_text(column, alias)
        framed = text if form(column) in (Form.FIXED, Form.TIME) else f"(strlen({text}) || ':' || {text})"
        parts.append(f"coalesce({framed}, '')")
    return f"md5(concat_ws(',', {', '.join(parts)}))"


def postgres_plain(selected: Sequence[ColumnContract], alias: str) -> str:
    """PostgreSQL SQL for the MD5, in hex, over a stored row's values in `selected` (none of them JSON)."""
    parts = [_postgres_framed(column, alias) for column in selected]
    return f"md5(array_to_string(array[{', '.join(parts)}], ',', ''))"


def _postgres_framed(column: ColumnContract, alias: str) -> str:
    text = postgres_text(column, alias)
    return text if form(column) in (Form.FIXED, Form.TIME) else f"octet_length({text}) || ':' || {text}"


def postgres_row_hash(table: TableContract, alias: str) -> str:
    """PostgreSQL SQL for the hash (uuid) of a stored row."""
    texts = [f"{alias}.{quoted(column.name)}::text" for column in json_columns(table)]
    return _row_hash(postgres_plain(plain_columns(table), alias), texts)


def postgres_sent_hash(table: TableContract, plain: str, alias: str) -> str:
    """PostgreSQL SQL for the hash (uuid) of a candidate: `plain` in hex, and its JSON as text columns of `alias`."""
    texts = [f"{alias}.{quoted(column.name)}::jsonb::text" for column in json_columns(table)]
    return _row_hash(plain, texts)


def _row_hash(plain: str, json_texts: Sequence[str]) -> str:
    if not json_texts:
        return f"{plain}::uuid"
    framed = ", ".join(f"octet_length({text}) || ':' || {text}" for text in json_texts)
    return f"md5(array_to_string(array[{plain}, {framed}], ',', ''))::uuid"


def duckdb_hash_without_json(table: TableContract, plain: str) -> str:
    """DuckDB SQL for the hash of a candidate all of whose JSON is null: the same that PostgreSQL gives."""
    nulls = "," * len(json_columns(table))
    return f"cast(md5({plain} || '{nulls}') as uuid)" if nulls else f"cast({plain} as uuid)"


def copy_cell(text: str, *, escape: bool) -> str:
    r"""DuckDB SQL for a cell of COPY's text format: `\N` for null; `escape` unless the text is digits and the like."""
    if not escape:
        return f"coalesce({text}, {NULL_CELL})"
    escaped = text
    for character, code in ((r"'\'", r"'\\'"), ("chr(10)", r"'\n'"), ("chr(13)", r"'\r'"), ("chr(9)", r"'\t'")):
        escaped = f"replace({escaped}, {character}, {code})"
    guarded = f"case when regexp_matches({text}, {literal(_COPY_SPECIAL)}) then {escaped} else {text} end"
    return f"coalesce({guarded}, {NULL_CELL})"


def copy_line(cells: Sequence[str]) -> str:
    """DuckDB SQL for a whole line of COPY's text format, with its line end, from `copy_cell`s."""
    return f"concat_ws(chr(9), {', '.join(cells)}) || chr(10)"


def candidate_cells(selected: Iterable[ColumnContract], alias: str) -> list[str]:
    """DuckDB SQL for the cells of a candidate's columns."""
    return [
        copy_cell(duckdb_text(column, alias), escape=form(column) not in (Form.FIXED, Form.TIME)) for column in selected
    ]
