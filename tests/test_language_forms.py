"""Forms of the mapping language for stores of many versions: parts of texts, absent tables, what a bot can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate import pipeline, project
from tests.mapped import Row, Table, problems_of, run

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = """\
from: t
key: [id]
columns: {id: integer, bot_id: text, document: json, name: text}
into:
  audit.system_events:
    event_type: "'x'"
    event_level: "'INFO'"
    message: coalesce(text_at(document, 'a', 'b c'), 'none')
    component: part(name, '_', 2)
    error_code: column('bot_id')
    stack_trace: bot_id
"""
COLUMNS = ("id", "bot_id", "document", "name")


def _events(folder: Path, rows: list[Row]) -> list[tuple[object, ...]]:
    with run(folder, {"t": Table(mapping=EVENTS, columns=COLUMNS, rows=rows)}) as outcome:
        assert outcome.rejects() == []
        return outcome.candidates("audit.system_events", "message", "component", "error_code", "stack_trace")


def test_a_text_is_taken_out_of_json_only_where_it_is_a_text(tmp_path: Path) -> None:
    documents = [
        '{"a": {"b c": "found"}}',
        '{"a": {"b c": 7}}',
        '{"a": "b c"}',
        "[1]",
        '"a"',
        None,
        '{"a": {"b c": null}}',
    ]
    rows: list[Row] = [(str(i), "b", document, "n") for i, document in enumerate(documents)]
    assert [message for message, *_ in _events(tmp_path, rows)] == ["found", *["none"] * 6]


def test_a_part_of_a_text_is_null_where_there_is_none(tmp_path: Path) -> None:
    names = ["taogrid_BTCUSDT_live", "one", "_", "a__c", None]
    rows: list[Row] = [(str(i), "b", None, name) for i, name in enumerate(names)]
    assert [part for _, part, *_ in _events(tmp_path, rows)] == ["BTCUSDT", None, None, None, None]


def test_a_column_whose_name_means_something_else_is_named_as_a_column(tmp_path: Path) -> None:
    assert _events(tmp_path, [("1", "theirs", None, None)])[0][2:] == ("theirs", "bot")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10), min_size=1))
def test_parts_are_those_that_python_splits(tmp_path: Path, names: list[str]) -> None:
    rows: list[Row] = [(str(i), "b", None, name) for i, name in enumerate(names)]
    wanted = [(name.split("_")[1] or None) if "_" in name else None for name in names]
    wanted = [None if one is None or len(one) > 50 else one for one in wanted]
    assert [part for _, part, *_ in _events(tmp_path, rows)] == wanted


@pytest.mark.parametrize(
    "change",
    [
        ("text_at(document, 'a', 'b c')", "text_at(document)"),
        ("text_at(document, 'a', 'b c')", "text_at(name, 'a')"),
        ("text_at(document, 'a', 'b c')", "text_at(document, name)"),
        ("part(name, '_', 2)", "part(name, '_', 0)"),
        ("part(name, '_', 2)", "part(name, name, 1)"),
        ("part(name, '_', 2)", "part(name, '', 1)"),
        ("column('bot_id')", "column(bot_id)"),
        ("column('bot_id')", "column('nowhere')"),
    ],
)
def test_a_wrong_use_is_found_by_check(tmp_path: Path, change: tuple[str, str]) -> None:
    assert change[0] in EVENTS
    assert "bad-expression" in {problem.code for problem in problems_of(tmp_path, EVENTS.replace(*change))}


def test_tables_that_are_not_there_are_named_with_the_reason_why_they_may_be_absent(tmp_path: Path) -> None:
    tables = {name: Table(mapping=EVENTS.replace("from: t", f"from: {name}"), columns=()) for name in "uvw"}
    tables |= {"t": Table(mapping=EVENTS, columns=COLUMNS, rows=[("1", "b", None, "n")])}
    with run(tmp_path, tables, "optional: {u: new in 2, v: new in 2, w: never used}\n") as outcome:
        assert outcome.notices() == [
            "the store of s has no tables u, v (new in 2): nothing was read of them",
            "the store of s has no table w (never used): nothing was read of them",
        ]


def test_an_absent_table_needs_a_reason_where_reasons_are_given(tmp_path: Path) -> None:
    codes = {problem.code for problem in problems_of(tmp_path, EVENTS, "optional: {t: }\n")}
    assert codes == {"missing-reason"}


def _project(folder: Path, mode: str, modes: str) -> project.Project:
    place = folder / "made"
    place.mkdir(exist_ok=True)
    bot = "bot: {bot_name: x, bot_type: x, strategy_name: x}\n"
    (place / "system.yaml").write_text(f"system: made\nkind: postgres\ntables: [t]\n{bot}{modes}", encoding="utf-8")
    (place / "t.yaml").write_text(EVENTS, encoding="utf-8")
    file = folder / "consolidate.yaml"
    file.write_text(
        f"version: 1\nsources:\n  s:\n    mapping: {place}\n    dsn: postgresql:///x\n"
        f"    bot: {{id: s_001, deployment_mode: {mode}, initial_capital: 1}}\n",
        encoding="utf-8",
    )
    return project.load(file)


def test_a_bot_that_trades_on_paper_is_never_live(tmp_path: Path) -> None:
    (problem,) = pipeline.check(_project(tmp_path, "live", "deployment_modes: [demo]\n"))
    assert (problem.code, problem.message) == (
        "wrong-mode",
        "the rows of made are demo, and 's_001' would make them live",
    )
    assert pipeline.check(_project(tmp_path, "demo", "deployment_modes: [demo]\n")) == ()
    assert pipeline.check(_project(tmp_path, "live", "")) == ()
    (problem,) = pipeline.check(_project(tmp_path, "demo", "deployment_modes: [demo, paper]\n"))
    assert problem.code == "bad-value"
