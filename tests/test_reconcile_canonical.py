"""The canonical text and hash of a row: DuckDB and PostgreSQL must agree on any values."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.canonical import (
    Form,
    candidate_cells,
    columns,
    copy_line,
    duckdb_text,
    form,
    is_serial,
    json_columns,
    name_list,
    plain_columns,
    postgres_row_hash,
    postgres_text,
)
from consolidate.postgres import connect
from consolidate.relations import candidates, unified, work
from consolidate.staging import Staging, quoted
from consolidate.target.contract import ColumnContract, TableContract, expected
from consolidate.target.fingerprint import fill_hashes
from consolidate.target.held import fill_no_lineage
from consolidate.target.stream import copy_in, copy_out
from tests.candidates import Candidate, create, insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from hypothesis.strategies import SearchStrategy

_TYPES: Final = {
    "n": "bigint",
    "whole": "integer",
    "money": "numeric(20,8)",
    "share": "numeric(5,4)",
    "wide": "numeric(38,18)",
    "yes": "boolean",
    "day": "date",
    "moment": "timestamp with time zone",
    "short": "character varying(50)",
    "long": "text",
    "many": "text[]",
    "order": "jsonb",
    "second": "jsonb",
}
PROBE: Final = TableContract(
    name="public.probe",
    columns=tuple(
        ColumnContract(name=name, type=type_, not_null=False, default=None) for name, type_ in _TYPES.items()
    ),
    primary_key=("n",),
    unique=(),
    checks=(),
    foreign_keys=(),
    constraints=(),
    indexes=(),
)

_CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_SPECIAL = st.sampled_from(
    [
        *("\\N", "\\", "\\\\n", "\t", "\n", "\r", "\v", "\f", "\b", '"', "'"),
        *("null", "NULL", "{}", ",", " ", "", "é😀"),
    ]
)
_TEXT = st.one_of(_SPECIAL, st.text(_CHARACTERS, max_size=12), st.lists(_SPECIAL, max_size=5).map("".join))


def _decimals(digits: int, scale: int) -> SearchStrategy[str]:
    whole = st.integers(-(10**digits) + 1, 10**digits - 1)
    return st.one_of(st.just(0), whole).map(lambda number: _with_point(number, scale))


def _with_point(number: int, scale: int) -> str:
    digits = str(abs(number)).rjust(scale + 1, "0")
    return f"{'-' if number < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def _numbers() -> SearchStrategy[str]:
    """Numbers as JSON may spell them."""
    return st.one_of(
        st.sampled_from(["0", "-0", "1.10", "1.0e2", "1E-7", "123456789012345678901234567890.12345678900", "-0.0"]),
        _decimals(38, 18),
        st.integers().map(str),
    )


def _json_text() -> SearchStrategy[str]:
    string = st.text(_CHARACTERS, max_size=6).map(_quoted_json)
    leaf = st.one_of(st.sampled_from(["null", "true", "false"]), _numbers(), string)
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            st.dictionaries(string, inner, max_size=3).map(
                lambda members: "{" + ",".join(f"{name} :{value}" for name, value in members.items()) + "}"
            ),
        ),
        max_leaves=6,
    )


def _quoted_json(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\u{ord(one):04x}" if ord(one) < 32 else one for one in escaped) + '"'


_VALUES: Final[dict[str, SearchStrategy[Any]]] = {
    "n": st.integers(-(2**63), 2**63 - 1),
    "whole": st.integers(-(2**31), 2**31 - 1),
    "money": _decimals(20, 8),
    "share": _decimals(5, 4),
    "wide": _decimals(38, 18),
    "yes": st.booleans(),
    "day": st.one_of(st.dates().map(date.isoformat), st.sampled_from(["0001-01-01", "9999-12-31"])),
    "moment": st.one_of(st.datetimes().map(datetime.isoformat), st.sampled_from(["infinity", "-infinity"])),
    "short": _TEXT,
    "long": _TEXT,
    "many": st.lists(st.one_of(st.none(), _TEXT), max_size=4),
    "order": _json_text(),
    "second": _json_text(),
}
_ROWS = st.lists(
    st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in _VALUES.items()}),
    min_size=1,
    max_size=25,
)


@contextmanager
def _stored(dsn: str, staging: Staging, rows: list[dict[str, Any]]) -> Iterator[psycopg.Connection[Any]]:
    """The probe table with `rows`, numbered by `"#n"` in DuckDB and by `#n` in PostgreSQL."""
    create(staging, PROBE)
    for n, values in enumerate(rows, start=1):
        insert(staging, Candidate(table=PROBE.name, values=values), n)
    with connect(dsn, what="the target") as connection, connection.transaction(force_rollback=True):
        typed = ", ".join(f"{quoted(name)} {type_}" for name, type_ in _TYPES.items())
        connection.execute(f'create table public.probe ("#n" bigint, {typed})'.encode())
        cells = ['cast(c."#n" as varchar)', *candidate_cells(columns(PROBE), "c")]
        copy_in(
            connection,
            f'{unified(PROBE.name)} ("#n", {name_list(columns(PROBE))})',
            staging,
            f"select {copy_line(cells)} as line from {candidates(PROBE.name)} c",
        )
        yield connection


def _disagreements(dsn: str, staging: Staging, rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    with _stored(dsn, staging, rows) as connection:
        fill_no_lineage(staging)
        fill_hashes(connection, staging, PROBE)
        copy_out(
            connection,
            f'select t."#n", {postgres_row_hash(PROBE, "t")} from public.probe t',
            staging,
            "work.theirs",
            (("n", "bigint"), ("row_hash", "uuid")),
        )
    return staging.rows(
        f"select n from {work('hash', PROBE.name)} o full outer join work.theirs t using (n)"
        " where o.row_hash is distinct from t.row_hash or o.row_hash is null"
    )


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(rows=_ROWS)
def test_both_sides_give_any_row_the_same_hash(empty_dsn: str, staging: Staging, rows: list[dict[str, Any]]) -> None:
    assert _disagreements(empty_dsn, staging, rows) == []


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(rows=_ROWS)
def test_any_value_arrives_and_has_the_same_text_on_both_sides(
    empty_dsn: str, staging: Staging, rows: list[dict[str, Any]]
) -> None:
    plain = plain_columns(PROBE)
    with _stored(empty_dsn, staging, rows) as connection:
        texts = ", ".join(postgres_text(column, "t") for column in plain)
        theirs = connection.execute(f'select {texts} from public.probe t order by "#n"'.encode()).fetchall()
    texts = ", ".join(duckdb_text(column, "c") for column in plain)
    ours = staging.rows(f'select {texts} from {candidates(PROBE.name)} c order by "#n"')
    assert ours == theirs


_ROW: Final[dict[str, Any]] = {
    "n": 1,
    "whole": 2,
    "money": "3.00000001",
    "share": "0.5",
    "wide": "1.000000000000000001",
    "yes": True,
    "day": "2024-02-29",
    "moment": "2024-02-29 12:00:00.000001",
    "short": "a,1:b",
    "long": "",
    "many": ["a", "b"],
    "order": '{"a": 1.10}',
    "second": None,
}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", 2),
        ("n", None),
        ("whole", None),
        ("money", "3.00000002"),
        ("share", "0.5001"),
        ("wide", "1.000000000000000002"),
        ("yes", False),
        ("yes", None),
        ("day", "2024-03-01"),
        ("moment", "2024-02-29 12:00:00.000002"),
        ("short", "a,1:b "),
        ("short", None),
        ("long", None),
        ("many", ["a,b"]),
        ("many", ["b", "a"]),
        ("many", []),
        ("many", None),
        ("many", ["a", "b", None]),
        ("order", '{"a": 1.1}'),
        ("order", '{"a": "1.10"}'),
        ("order", "null"),
        ("order", None),
        ("second", "null"),
        ("second", '{"a": 1.10}'),
    ],
)
def test_a_single_changed_cell_changes_the_hash(empty_dsn: str, staging: Staging, column: str, value: object) -> None:
    assert _disagreements(empty_dsn, staging, [_ROW, {**_ROW, column: value}]) == []
    assert staging.value(f"select count(distinct row_hash) from {work('hash', PROBE.name)}") == 2


def test_where_a_text_ends_and_the_next_begins_counts(empty_dsn: str, staging: Staging) -> None:
    cuts = (("a", "b"), ("a,1:b", ""), ("", "a,1:b"), ("ab", None))
    rows = [{**_ROW, "short": short, "long": long} for short, long in cuts]
    assert _disagreements(empty_dsn, staging, rows) == []
    assert staging.value(f"select count(distinct row_hash) from {work('hash', PROBE.name)}") == 4


def test_spelling_of_json_does_not_count(empty_dsn: str, staging: Staging) -> None:
    rows = [{**_ROW, "order": text} for text in ('{"a":1.10,"bb":[true]}', '{ "bb" : [ true ], "a" : 1.10 }')]
    assert _disagreements(empty_dsn, staging, rows) == []
    assert staging.value(f"select count(distinct row_hash) from {work('hash', PROBE.name)}") == 1


def test_every_type_of_the_contract_has_a_form() -> None:
    for table in expected().tables:
        assert {form(column) for column in table.columns} <= set(Form)
        assert [column.name for column in table.columns if is_serial(column)] in (["id"], [])
        assert set(json_columns(table)).isdisjoint(plain_columns(table))
    with pytest.raises(TypeError, match="double precision"):
        form(replace(expected().tables[0].columns[0], type="double precision"))


def test_times_mean_utc(empty_dsn: str, staging: Staging) -> None:
    moment = datetime(2024, 7, 1, 12, tzinfo=UTC)
    with _stored(empty_dsn, staging, [{"moment": "2024-07-01 12:00:00"}]) as connection:
        row = connection.execute("select moment from public.probe").fetchone()
    assert row == (moment,)
