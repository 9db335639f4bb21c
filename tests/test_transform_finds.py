"""Finds: by key, by time, by list; always of the same source and bot, and never by chance."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.transform import Routing
from tests.mapped import Row, Table, run

if TYPE_CHECKING:
    from pathlib import Path

BALANCES = """\
from: b
key: [id]
bot: bot
columns: {id: text, bot: text, at: instant, kind: text}
into:
  trading.account_balance:
    mark: kind
    total_balance: 1
    available_balance: 1
    equity: 1
    timestamp: at
    snapshot_type: id
    data_source: kind
"""
ASKING = """\
from: q
key: [id]
bot: bot
columns: {id: text, bot: text, at: instant, kind: text}
find:
  f: {in: trading.account_balance, %s}
into:
  audit.system_events:
    event_type: id
    event_level: "'INFO'"
    component: "'c'"
    message: coalesce(f.snapshot_type, 'none')
    details: pack(kind, at)
"""
BASE = datetime(2024, 1, 1)  # noqa: DTZ001 - naive, as UTC
ROUTING = Routing(default="", routes=(("A", "bot_a"), ("B", "bot_b")))
COLUMNS = ("id", "bot", "at", "kind")


def _at(seconds: int) -> str:
    return f"{(BASE + timedelta(seconds=seconds)).isoformat()}Z"


def _found(folder: Path, find: str, balances: list[Row], asked: list[Row]) -> dict[object, object]:
    """What each row of `q` found: the key of the balance, or "none"."""
    tables = {
        "b": Table(mapping=BALANCES, columns=COLUMNS, rows=balances),
        "q": Table(mapping=ASKING % find, columns=COLUMNS, rows=asked),
    }
    with run(folder, tables, routing=ROUTING) as outcome:
        assert outcome.codes() == {}
        return {row[0]: row[1] for row in outcome.candidates("audit.system_events", "event_type", "message")}


_BALANCES = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 30), st.sampled_from("xy")), max_size=12)
_ASKED = st.lists(st.tuples(st.sampled_from("AB"), st.integers(-5, 35), st.sampled_from("xy")), min_size=1, max_size=8)
FORMS = {
    "last": "last: timestamp, before: at",
    "last_within": "last: timestamp, before: at, within: 5",
    "first": "mark: kind, first: timestamp, from_time: at, within: 4",
    "nearest": "by: {data_source: kind}, nearest: timestamp, to: at, within: 3",
    "nearest_any": "nearest: timestamp, to: at",
}


def _wanted(form: str, bot: str, at: int, kind: str, balances: list[tuple[str, int, str]]) -> str:
    """The balance that the find means: the nearest by its rule, of equally near ones that with the lowest key."""
    own = [(moment, f"{i:02}") for i, (owner, moment, its) in enumerate(balances)
           if owner == bot and (form not in {"first", "nearest"} or its == kind)]  # fmt: skip
    if form.startswith("last"):
        own = [one for one in own if one[0] < at]
    if form == "first":
        own = [one for one in own if one[0] >= at]
    within = {"last_within": 5, "first": 4, "nearest": 3}.get(form, 10**9)
    near = sorted((abs(moment - at), key) for moment, key in own if abs(moment - at) <= within)
    return near[0][1] if near else "none"


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(balances=_BALANCES, asked=_ASKED)
def test_a_find_by_time_is_the_one_that_its_words_mean(
    form: str,
    balances: list[tuple[str, int, str]],
    asked: list[tuple[str, int, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # account_balance is unique in (bot, timestamp): one balance a moment.
    seen: set[tuple[str, int]] = set()
    single = [one for one in balances if (one[0], one[1]) not in seen and not seen.add((one[0], one[1]))]  # type: ignore[func-returns-value]
    stored: list[Row] = [(f"{i:02}", bot, _at(at), kind) for i, (bot, at, kind) in enumerate(single)]
    rows: list[Row] = [(f"q{i}", bot, _at(at), kind) for i, (bot, at, kind) in enumerate(asked)]
    found = _found(tmp_path_factory.mktemp("x"), FORMS[form], stored, rows)
    wanted = {f"q{i}": _wanted(form, bot, at, kind, single) for i, (bot, at, kind) in enumerate(asked)}
    assert found == wanted


def test_a_find_without_a_time_takes_the_lowest_key_as_a_number(tmp_path: Path) -> None:
    stored: list[Row] = [("10", "A", _at(1), "x"), ("9", "A", _at(2), "x"), ("1", "B", _at(1), "x")]
    asked: list[Row] = [("q", "A", _at(0), "x"), ("r", "A", _at(0), "y"), ("s", "A", _at(0), None)]
    assert _found(tmp_path, "mark: kind", stored, asked) == {"q": "9", "r": "none", "s": "none"}


def test_bot_ids_stand_in_by_like_any_text(tmp_path: Path) -> None:
    stored: list[Row] = [("1", "A", _at(1), "bot_b"), ("2", "B", _at(1), "bot_b")]
    assert _found(
        tmp_path, "by: {data_source: bot_id}", stored, [("q", "B", _at(0), "x"), ("r", "A", _at(0), "x")]
    ) == {
        "q": "2",
        "r": "none",
    }


TRADES = """\
from: t
key: [id]
columns: {id: integer, price: decimal, at: instant, ref: text}
into:
  trading.trades:
    trade_id: ref
    symbol: ref
    side: "'buy'"
    quantity: price
    entry_price: price
    position_size_usd: price
    status: "'filled'"
    entry_time: at
    strategy: "'s'"
  trading.orders:
    when: price > 5
    order_id: concat('o', ref)
    symbol: ref
    order_type: "'market'"
    side: "'buy'"
    quantity: price
    status: "'filled'"
    created_at: at
"""
SIGNALS = """\
from: g
key: [id]
columns: {id: integer, trade: integer, at: instant}
find:
  trade_row: {in: trading.trades, from: t, key: [trade]}
  order_row: {in: trading.orders, from: t, key: [trade], optional: true}
into:
  trading.signals:
    signal_id: concat('g', id)
    symbol: coalesce(trade_row.symbol, 'none')
    signal_type: "'long'"
    price: coalesce(trade_row.entry_price, 1)
    timestamp: at
    strategy: "'s'"
    executed: trade_row.trade_id is not None
    execution_trade_id: trade_row.trade_id
    execution_order_id: order_row.order_id
"""


def test_a_reference_is_found_missing_or_rejected_each_with_its_code(tmp_path: Path) -> None:
    at = _at(0)
    tables = {
        "t": Table(mapping=TRADES, columns=("id", "price", "at", "ref"), rows=[("1", "6", at, "a"), ("2", "1", at, "b"), ("3", "-1", at, "c")]),
        "g": Table(
            mapping=SIGNALS, columns=("id", "trade", "at"),
            rows=[("1", "1", at), ("2", "2", at), ("3", "3", at), ("4", "4", at), ("5", None, at)],
        ),
    }  # fmt: skip
    with run(tmp_path, tables) as outcome:
        assert outcome.rejects() == [
            ("3", "check_violation", "price"), ("3", "rejected_reference", "trade"), ("4", "missing_reference", "trade"),
        ]  # fmt: skip
        found = outcome.candidates(
            "trading.signals", "signal_id", "execution_trade_id", "execution_order_id", "price", "executed"
        )
        assert found == [
            ("g1", "a", "oa", "6.00000000", "true"), ("g2", "b", None, "1.00000000", "true"), ("g5", None, None, "1.00000000", "false"),
        ]  # fmt: skip
