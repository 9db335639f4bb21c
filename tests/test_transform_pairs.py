"""Opening and closing events are paired as the bot's own restart reads its log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mapped import Row, Table, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COLUMNS = ("id", "at", "event", "symbol", "price")
EVENTS = """\
from: t
key: [id]
columns: {id: text, at: instant, event: text, symbol: text, price: decimal}
pair: {by: [symbol], at: at, event: event, open: opened, close: closed}
into:
  trading.trades:
    trade_id: id
    symbol: symbol
    side: "'buy'"
    quantity: price
    entry_price: price
    position_size_usd: price
    status: "'filled'"
    entry_time: at
    exit_time: closing.at
    strategy: "'s'"
  trading.positions:
    per: group
    position_id: first(id)
    symbol: first(symbol)
    side: "'long'"
    size: sum(price)
    avg_entry_price: ratio(sum(price * price), sum(price), scale=8)
    status: "'open' if closing.at is None else 'closed'"
    opened_at: first(at)
    closed_at: closing.at
    last_updated: last(at)
    entry_trade_ids: collect(trading.trades.trade_id)
    strategy: last(id)
    position_metadata: pack(entries=count())
"""


@dataclass
class Position:
    """What the bot has open for a symbol."""

    entries: list[str] = field(default_factory=list)
    closing: str | None = None


def restarted(events: list[Row]) -> tuple[list[Position], set[str]]:
    """The positions that the bot finds when it reads its log again, and the closes that it cannot place."""
    found: list[Position] = []
    lost: set[str] = set()
    running: dict[str, Position] = {}
    for key, _, event, symbol, _ in sorted(events, key=lambda row: str(row[1])):  # stable: then by place in the log
        position = running.get(str(symbol))
        if event == "opened":
            if position is None:
                position = running[str(symbol)] = Position()
                found.append(position)
            position.entries.append(str(key))
        elif position is None:
            lost.add(str(key))
        else:
            position.closing = str(key)
            del running[str(symbol)]
    return found, lost


_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from(["opened", "closed"]), st.sampled_from("ABC"), st.sampled_from(["1", "2.5"])
    ),
    max_size=20,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=_EVENTS)
def test_events_are_paired_as_the_bot_reads_its_log(
    events: list[tuple[int, str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows: list[Row] = [
        (f"k{i:02}", f"2024-01-01T00:0{at}:00Z", event, symbol, price)
        for i, (at, event, symbol, price) in enumerate(events)
    ]
    wanted, lost = restarted(rows)
    with run(tmp_path_factory.mktemp("x"), {"t": Table(mapping=EVENTS, columns=COLUMNS, rows=rows)}) as outcome:
        found = outcome.staging.rows(
            'select entry_trade_ids, closed_at::varchar, size::varchar from cand."trading.positions"'
        )
        ended = outcome.staging.rows('select trade_id, exit_time::varchar from cand."trading.trades"')
        trades = {trade: time for trade, time in ended}  # noqa: C416 - rows are tuples of any length to the type checker
        assert outcome.codes() == dict.fromkeys(lost, "unmatched_close")
        counts = outcome.counts("t")
        assert counts.residue == 0
        assert counts.mapped == sum(row[2] == "opened" for row in rows)
    times = {str(row[0]): str(row[1]).replace("T", " ").rstrip("Z") for row in rows}
    prices = {str(row[0]): float(str(row[4])) for row in rows}
    assert sorted((tuple(ids), closed, float(str(size))) for ids, closed, size in found) == sorted(  # type: ignore[arg-type]
        (
            tuple(one.entries),
            None if one.closing is None else times[one.closing],
            sum(prices[key] for key in one.entries),
        )
        for one in wanted
    )
    for position in wanted:
        assert {trades[key] for key in position.entries} == {
            None if position.closing is None else times[position.closing]
        }


def _codes(rows: list[Row], tmp_path: Path, mapping: str = EVENTS) -> dict[object, object]:
    with run(tmp_path, {"t": Table(mapping=mapping, columns=COLUMNS, rows=rows)}) as outcome:
        assert outcome.counts("t").residue == 0
        return outcome.codes()


def _at(minute: int) -> str:
    return f"2024-01-01T00:{minute:02}:00Z"


def test_one_rejected_event_rejects_its_group_and_no_other(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("a", _at(1), "opened", "X", "1"), ("b", _at(2), "opened", "X", "-1"), ("c", _at(3), "closed", "X", None),
        ("d", _at(4), "opened", "X", "1"), ("e", _at(5), "opened", "Y", "1"),
    ]  # fmt: skip
    assert _codes(rows, tmp_path) == {"a": "rejected_reference", "b": "check_violation", "c": "rejected_reference"}


def test_an_event_whose_time_or_kind_cannot_be_read_makes_its_pair_unreadable(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("a", _at(1), "opened", "X", "1"), ("b", "soon", "closed", "X", None), ("c", _at(1), "opened", "Y", "1"),
        ("d", _at(2), "changed", "Y", "1"), ("e", _at(2), "opened", "Z", "1"), ("f", _at(3), None, "Z", None),
        ("g", _at(3), "opened", "W", "1"),
    ]  # fmt: skip
    assert _codes(rows, tmp_path) == {
        "a": "rejected_reference", "b": "bad_value", "c": "rejected_reference", "d": "unmapped_value",
        "e": "rejected_reference", "f": "missing_value",
    }  # fmt: skip


def test_copies_of_a_log_pair_as_one_where_keep_comes_first(tmp_path: Path) -> None:
    mapping = EVENTS.replace("pair:", "keep: {one_per: [at, event, symbol], last: id}\npair:")
    rows: list[Row] = [
        ("a", _at(1), "opened", "X", "1"), ("b", _at(2), "closed", "X", None), ("c", _at(1), "opened", "X", "1"),
        ("d", _at(2), "closed", "X", None),
    ]  # fmt: skip
    with run(tmp_path, {"t": Table(mapping=mapping, columns=COLUMNS, rows=rows)}) as outcome:
        assert outcome.codes() == {}
        assert outcome.candidates("trading.trades", "trade_id", "exit_time") == [("c", "2024-01-01 00:02:00")]
        assert (outcome.counts("t").mapped, outcome.counts("t").merged) == (1, 3)


def test_a_filtered_event_takes_no_part_in_a_position(tmp_path: Path) -> None:
    mapping = EVENTS.replace("into:\n", "filter: {when: price == 0, reason: placeholders}\ninto:\n", 1)
    rows: list[Row] = [
        ("a", _at(1), "opened", "X", "0"),
        ("b", _at(2), "opened", "X", "2"),
        ("c", _at(3), "closed", "X", None),
    ]
    with run(tmp_path, {"t": Table(mapping=mapping, columns=COLUMNS, rows=rows)}) as outcome:
        assert outcome.codes() == {}
        assert outcome.counts("t").residue == 0
        assert outcome.candidates("trading.positions", "position_id", "size") == [("b", "2.00000000")]
        assert (outcome.counts("t").mapped, outcome.counts("t").merged, outcome.counts("t").filtered) == (1, 1, 1)
