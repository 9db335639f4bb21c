"""Bots that rows become: their ids and attributes, whose rows are whose through them, and what is refused."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consolidate.errors import UsageError
from consolidate.mapping.made_bots import BotConfiguration, MadeBot, MadeBots
from consolidate.staging import Staging
from consolidate.transform import BotRow, Routing
from tests.mapped import Table, problems_of, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.mapped import Row

AGENTS = """
from: agents
key: [id]
columns: {id: text, name: text, mode: text, capital: decimal, born: instant}
into:
  trading.bots:
    bot_id: concat('ai_', slug(name))
    bot_name: name
    deployment_mode: mode
    initial_capital: capital
    created_at: born
"""
EVENTS = """
from: events
key: [id]
bot: OWNER
columns: {id: integer, agent: text, at: instant, text: text}
into:
  audit.system_events:
    event_time: at
    event_type: "'INFO'"
    event_level: "'INFO'"
    message: text
"""
NOTES = """
from: notes
key: [id]
bot: {by: event, of: events}
columns: {id: integer, event: integer, text: text}
into:
  audit.system_events:
    event_type: "'INFO'"
    event_level: "'INFO'"
    message: text
"""
EXTRA = "bot: {bot_type: ai, strategy_name: llm, exchange: hyperliquid}\n"
DEFAULTS = (("bot_type", "ai"), ("strategy_name", "llm"), ("exchange", "hyperliquid"))
MADE = MadeBots(defaults=DEFAULTS)
TREND: Row = ("u1", "Trend Följare #2", "live", "1000", "2025-10-01 00:00:00+00")
MEAN: Row = ("u2", "mean", "demo", "5", None)


def agents(*rows: Row) -> Table:
    return Table(mapping=AGENTS, columns=("id", "name", "mode", "capital", "born"), rows=rows)


def events(rows: Sequence[Row], owner: str = "agent") -> Table:
    return Table(mapping=EVENTS.replace("OWNER", owner), columns=("id", "agent", "at", "text"), rows=rows)


def notes(*rows: Row) -> Table:
    return Table(mapping=NOTES, columns=("id", "event", "text"), rows=rows)


def event(key: str, agent: str | None, time: str = "2025-10-02 00:00:00+00") -> Row:
    return (key, agent, time, "hello")


def test_each_row_becomes_a_bot_with_its_own_attributes(tmp_path: Path) -> None:
    with run(tmp_path, {"agents": agents(TREND, MEAN)}, EXTRA, made=MADE) as done:
        columns = ("bot_id", "bot_name", "deployment_mode", "initial_capital", "exchange", "bot_type")
        assert done.candidates("trading.bots", *columns) == [
            ("ai_trend_foljare_2", "Trend Följare #2", "live", "1000.00000000", "hyperliquid", "ai"),
            ("ai_mean", "mean", "demo", "5.00000000", "hyperliquid", "ai"),
        ]
        assert done.counts("agents").mapped == 2


def test_rows_belong_to_the_bot_of_the_row_they_name(tmp_path: Path) -> None:
    rows = [event("1", "u2"), event("2", "u1"), event("3", "u9"), event("4", None)]
    with run(tmp_path, {"agents": agents(TREND, MEAN), "events": events(rows)}, EXTRA, made=MADE) as done:
        assert done.candidates("audit.system_events", "bot_id") == [("ai_mean",), ("ai_trend_foljare_2",)]
        assert done.rejects() == [("3", "unknown_bot", "agent"), ("4", "unknown_bot", "agent")]


def test_the_project_file_wins_over_the_row_and_fills_what_it_lacks(tmp_path: Path) -> None:
    made = MadeBots(
        defaults=(*DEFAULTS, ("deployment_mode", "backtest"), ("initial_capital", "7")),
        by_key=(
            MadeBot(
                key="u1",
                id="mine",
                attributes=(("deployment_mode", "demo"), ("exchange", None)),
                configurations=(BotConfiguration(key="k", value="1", type=None),),
            ),
        ),
    )
    bare: Row = ("u3", "bare", None, None, None)
    rows = [event("1", "u1")]
    with run(tmp_path, {"agents": agents(TREND, bare), "events": events(rows)}, EXTRA, made=made) as done:
        columns = ("bot_id", "deployment_mode", "initial_capital", "exchange")
        assert done.candidates("trading.bots", *columns) == [
            ("mine", "demo", "1000.00000000", None),
            ("ai_bare", "backtest", "7.00000000", "hyperliquid"),
        ]
        assert done.candidates("audit.system_events", "bot_id") == [("mine",)]
        assert done.candidates("config.bot_configurations", "bot_id", "config_key") == [("mine", "k")]


def test_a_row_without_a_required_attribute_is_rejected_with_all_that_is_its(tmp_path: Path) -> None:
    bare: Row = ("u3", "bare", None, "1", None)
    nameless: Row = ("u4", "交易", "live", "1", None)
    rows = [event("1", "u3"), event("2", "u4")]
    with run(tmp_path, {"agents": agents(bare, nameless), "events": events(rows)}, EXTRA, made=MADE) as done:
        assert done.rejects() == [
            ("u3", "missing_value", "mode"),
            ("u4", "missing_value", "name"),
            ("1", "rejected_reference", "agent"),
            ("2", "rejected_reference", "agent"),
        ]


def test_two_rows_with_one_slug_are_both_refused(tmp_path: Path) -> None:
    again: Row = ("u3", "trend foljare-2", "live", "1", None)
    with run(tmp_path, {"agents": agents(TREND, again, MEAN)}, EXTRA, made=MADE) as done:
        assert done.rejects() == [("u1", "duplicate_bot", "name"), ("u3", "duplicate_bot", "name")]
    made = MadeBots(defaults=DEFAULTS, by_key=(MadeBot(key="u3", id="ai_other", attributes=(), configurations=()),))
    with run(tmp_path, {"agents": agents(TREND, again)}, EXTRA, made=made) as done:
        assert done.rejects() == []
        assert done.candidates("trading.bots", "bot_id") == [("ai_trend_foljare_2",), ("ai_other",)]


def test_a_row_may_not_become_a_bot_that_the_project_file_lists(tmp_path: Path) -> None:
    listed = BotRow(
        id="ai_mean",
        source="s",
        attributes=(("deployment_mode", "live"), ("initial_capital", "1"), ("bot_name", "n")),
        configurations=(),
    )
    with run(tmp_path, {"agents": agents(MEAN)}, EXTRA, made=MADE, bots=[listed]) as done:
        assert done.codes() == {"u2": "duplicate_bot"}


def test_rows_that_name_no_bot_go_to_the_default(tmp_path: Path) -> None:
    rows = [event("1", "u2"), event("2", None)]
    tables = {"agents": agents(TREND, MEAN), "events": events(rows, "{by: agent, else: default}")}
    with run(tmp_path, tables, EXTRA, made=MADE, routing=Routing(default="house", routes=())) as done:
        assert done.candidates("audit.system_events", "bot_id") == [("ai_mean",), ("house",)]
    by_key = Routing(default="", routes=(), default_key="u1")
    with run(tmp_path, tables, EXTRA, made=MADE, routing=by_key) as done:
        assert done.candidates("audit.system_events", "bot_id") == [("ai_mean",), ("ai_trend_foljare_2",)]
    said_nowhere = Table(
        mapping=EVENTS.replace("bot: OWNER", "carry: [agent]"), columns=("id", "agent", "at", "text"), rows=rows
    )
    tables = {"agents": agents(TREND, MEAN), "events": said_nowhere}
    with run(tmp_path, tables, EXTRA, made=MADE, routing=by_key) as done:
        assert done.candidates("audit.system_events", "bot_id") == [("ai_trend_foljare_2",)] * 2


def test_rows_belong_to_the_bot_of_a_row_of_another_table(tmp_path: Path) -> None:
    rows = [event("1", "u2"), event("2", "u9")]
    tables = {
        "agents": agents(TREND, MEAN),
        "events": events(rows),
        "notes": notes(("1", "1", "a"), ("2", "2", "b"), ("3", "3", "c"), ("4", None, "d")),
    }
    with run(tmp_path, tables, EXTRA, made=MADE) as done:
        assert done.candidates("audit.system_events", "bot_id", "message") == [("ai_mean", "hello"), ("ai_mean", "a")]
        assert done.rejects() == [
            ("2", "unknown_bot", "agent"),
            ("2", "rejected_reference", "event"),
            ("3", "missing_reference", "event"),
            ("4", "unknown_bot", "event"),
        ]


def test_what_the_history_tells_of_a_bot_is_filled_in(tmp_path: Path) -> None:
    rows = [event("1", "u1"), event("2", "u2"), event("3", "u2", "2025-10-03 00:00:00+00")]
    with run(tmp_path, {"agents": agents(TREND, MEAN), "events": events(rows)}, EXTRA, made=MADE) as done:
        assert done.candidates("trading.bots", "bot_id", "created_at", "last_heartbeat") == [
            ("ai_trend_foljare_2", "2025-10-01 00:00:00", "2025-10-02 00:00:00"),
            ("ai_mean", "2025-10-02 00:00:00", "2025-10-03 00:00:00"),
        ]


def test_a_key_that_no_row_has_is_an_error_not_a_silence(tmp_path: Path) -> None:
    made = MadeBots(defaults=DEFAULTS, by_key=(MadeBot(key="u7", id=None, attributes=(), configurations=()),))
    with (
        pytest.raises(UsageError, match="no row of agents has that key"),
        run(tmp_path, {"agents": agents(TREND)}, EXTRA, made=made),
    ):
        pass


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (AGENTS.replace("    bot_id: concat('ai_', slug(name))\n", ""), "bot_id is required"),
        (AGENTS.replace("slug(name)", "bot_id"), "defined through itself"),
        (AGENTS.replace("    bot_name", "    when: name is not None\n    bot_name"), "each row becomes one bot"),
        (AGENTS.replace("key: [id]", "key: [id]\nbot: mode"), "are bots themselves"),
        (NOTES.replace("of: events", "of: nothing"), "which is no table"),
        (NOTES.replace("of: events", "off: events"), "off"),
    ],
)
def test_check_tells_what_is_wrong_with_bots_of_rows(mapping: str, message: str, tmp_path: Path) -> None:
    named = re.sub("from: (agents|notes)", "from: t", mapping)
    found = [problem for problem in problems_of(tmp_path, named) if message in problem.message]
    assert found
    assert found[0].location is not None
    assert found[0].location.line is not None


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    with Staging.open(tmp_path_factory.mktemp("slug") / "staging.duckdb") as opened:
        yield opened


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_a_slug_is_what_python_makes_of_the_name(staging: Staging, name: str) -> None:
    bare = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.category(c).startswith("M"))
    ascii_only = "".join(c.lower() if c.isascii() else "-" for c in bare)
    slug = re.sub("[^a-z0-9]+", "_", ascii_only).strip("_") or None
    assert staging.value("select slug($1)", [name]) == slug
