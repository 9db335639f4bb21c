"""Rows of DuckDB inside a question to PostgreSQL: any text arrives as it is, of any number of rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.postgres import connect
from consolidate.target.asked import answers

if TYPE_CHECKING:
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

RETURNED = (("n", "bigint"), ("text", "varchar"))


def echo(connection: Connection, staging: Staging, rows: str) -> int:
    """Ask PostgreSQL for the rows themselves."""
    columns = (("n", "bigint"), ("text", "text"))
    return answers(connection, staging, rows, columns, lambda q: f"select q.n, q.text from {q}", "work.echo", RETURNED)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\x00", codec="utf-8"))))
def test_any_text_arrives_as_it_is(staging: Staging, empty_dsn: str, texts: list[str | None]) -> None:
    staging.run("create or replace table work.rows as select * from (values (null, null)) r (n, text) where false")
    staging.run(
        "create or replace table work.rows as"
        " select cast(unnest(range(len(j))) as varchar) as n, unnest(j) as text from"
        f" (select cast('{json.dumps(texts).replace(chr(39), chr(39) * 2)}'::json as varchar[]) as j)"
    )
    with connect(empty_dsn, what="the target", read_only=True) as connection:
        assert echo(connection, staging, "select n, text from work.rows") == len(texts)
    assert [text for (text,) in staging.rows("select text from work.echo order by n")] == texts


def test_more_rows_than_a_question_holds_are_asked_about_in_several(staging: Staging, empty_dsn: str) -> None:
    rows = """select cast(i as varchar) as n, repeat('x', 1_500_000) || '"\\''' || i as text from range(16) r (i)"""
    with connect(empty_dsn, what="the target", read_only=True) as connection:
        assert echo(connection, staging, rows) == 16
    wrong = staging.value(
        f"select count(*) from ({rows}) a full join work.echo e on e.n = cast(a.n as bigint)"
        " where e.text is distinct from a.text"
    )
    assert wrong == 0
    assert staging.value("select count(*) from work.echo") == 16
