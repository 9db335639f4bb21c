"""References that lead nowhere: what each policy makes of them, and how far chains are followed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.model import RejectCode
from consolidate.transform import Routing
from consolidate.transform.graph import read_references
from tests.mapped import Table, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.mapped import Outcome, Row

ROUTING = Routing(default="bot_a", routes=(("A", "bot_a"), ("B", "bot_b")))
WHEN = "2024-01-01T00:00:00Z"

TRADES = """\
from: trades
key: [id]
bot: bot
columns: {id: text, bot: text, size: decimal, at: instant}
into:
  trading.trades:
    trade_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    side: "'buy'"
    quantity: size
    entry_price: 1
    position_size_usd: size
    entry_time: at
    strategy: "'s'"
"""
ORDERS = """\
from: orders
key: [id]
bot: bot
columns: {id: text, bot: text, trade: text, position: text}
into:
  trading.orders:
    order_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    order_type: "'market'"
    side: "'buy'"
    quantity: 2
    trade_id: trade
    position_id: position
"""
POSITIONS = """\
from: positions
key: [id]
bot: bot
columns: {id: text, bot: text, one: text, two: text, out: text}
into:
  trading.positions:
    position_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    side: "'long'"
    size: 1
    avg_entry_price: 1
    entry_trade_ids: list(one, two)
    exit_trade_ids: list(out)
    strategy: "'s'"
"""
SIGNALS = """\
from: signals
key: [id]
bot: bot
columns: {id: text, bot: text, order: text, trade: text}
into:
  trading.signals:
    signal_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    signal_type: "'long'"
    price: 1
    strategy: "'s'"
    execution_order_id: order
    execution_trade_id: trade
"""
EVENTS = """\
from: events
key: [id]
bot: bot
columns: {id: text, bot: text, order: text, trade: text}
into:
  audit.system_events:
    event_type: id
    event_level: "'INFO'"
    component: "'c'"
    message: "'m'"
    order_id: order
    trade_id: trade
"""
MAPPINGS = {
    "trades": (TRADES, ("id", "bot", "size", "at")),
    "orders": (ORDERS, ("id", "bot", "trade", "position")),
    "positions": (POSITIONS, ("id", "bot", "one", "two", "out")),
    "signals": (SIGNALS, ("id", "bot", "order", "trade")),
    "events": (EVENTS, ("id", "bot", "order", "trade")),
}
STUB = """\
references:
  trading.orders.trade_id:
    stub: {symbol: symbol, side: side, quantity: quantity, entry_price: 1, position_size_usd: quantity,
           entry_time: created_at, strategy: "'unknown'"}
"""


def tables(**rows: Sequence[Row]) -> dict[str, Table]:
    """The named tables in this order, with these rows."""
    return {name: Table(mapping=MAPPINGS[name][0], columns=MAPPINGS[name][1], rows=its) for name, its in rows.items()}


def trade(key: str, bot: str = "A", size: str = "1") -> Row:
    return (key, bot, size, WHEN)


def edge(outcome: Outcome, name: str, bot: str = "bot_a") -> tuple[int, int, int, int, int]:
    """Rows, targets, missing, rejected, other bot's of an edge."""
    found = [one for one in read_references(outcome.staging) if one.origin == name and one.bot_id == bot]
    assert len(found) == 1, name
    return found[0].rows, found[0].targets, found[0].missing, found[0].rejected, found[0].other_bot


def residual(outcome: Outcome, key: str) -> object:
    """What of a source row no cell gives back, the routing column aside."""
    found = outcome.staging.value(
        "select any_value(residual) from cand.\"#lineage\" where source_key = ? and source_table <> 'trades'", [key]
    )
    return {name: cell for name, cell in json.loads(str(found)).items() if name != "bot"}


def test_a_reference_to_nothing_rejects_its_row_and_shows_what_it_names(tmp_path: Path) -> None:
    made = tables(trades=[trade("1")], orders=[("o", "A", "bot_a_1", None), ("p", "A", "bot_a_9", None)])
    with run(tmp_path, made, routing=ROUTING) as outcome:
        assert outcome.rejects() == [("p", "missing_reference", "trade")]
        shown = outcome.staging.rows("select value, location from rej.rejects")
        assert shown == [("bot_a_9", str(tmp_path / "made" / "orders.yaml") + ":12:5")]
        assert outcome.candidates("trading.orders", "order_id") == [("bot_a_o",)]
        assert outcome.counts("orders").rejected == 1
        assert edge(outcome, "trading.orders.trade_id") == (2, 2, 1, 0, 0)


def test_a_reference_to_a_rejected_row_rejects_its_row_as_such(tmp_path: Path) -> None:
    bad = [trade("1", size="0"), ("2", "A", "abc", WHEN), trade("3")]
    orders = [("o", "A", "bot_a_1", None), ("p", "A", "bot_a_2", None), ("q", "A", "bot_a_3", None)]
    with run(tmp_path, tables(trades=bad, orders=orders), routing=ROUTING) as outcome:
        assert outcome.codes() == {
            "1": "check_violation",
            "2": "bad_value",
            "o": "rejected_reference",
            "p": "rejected_reference",
        }
        assert edge(outcome, "trading.orders.trade_id") == (3, 3, 0, 2, 0)


def test_a_reference_to_another_bots_row_leads_nowhere(tmp_path: Path) -> None:
    orders = [("o", "A", "bot_b_1", None), ("p", "B", "bot_b_1", None)]
    with run(tmp_path, tables(trades=[trade("1", "B")], orders=orders), routing=ROUTING) as outcome:
        assert outcome.rejects() == [("o", "missing_reference", "trade")]
        assert outcome.staging.value("select value from rej.rejects") == "bot_b_1 (of bot_b)"
        assert edge(outcome, "trading.orders.trade_id") == (1, 1, 0, 0, 1)
        assert edge(outcome, "trading.orders.trade_id", "bot_b") == (1, 1, 0, 0, 0)


def test_null_takes_the_reference_out_and_the_residual_keeps_it(tmp_path: Path) -> None:
    orders = [("o", "A", "bot_a_1", None), ("p", "A", "gone", None)]
    extra = "references: {trading.orders.trade_id: null}\n"
    with run(tmp_path, tables(trades=[trade("1")], orders=orders), extra, routing=ROUTING) as outcome:
        assert outcome.codes() == {}
        assert outcome.candidates("trading.orders", "order_id", "trade_id") == [
            ("bot_a_o", "bot_a_1"),
            ("bot_a_p", None),
        ]
        assert residual(outcome, "p") == {"trade": "gone"}
        assert residual(outcome, "o") == {}
        assert edge(outcome, "trading.orders.trade_id") == (2, 2, 1, 0, 0)


def test_null_takes_only_the_lost_elements_out_of_a_list(tmp_path: Path) -> None:
    positions = [("p", "A", "bot_a_1", "gone", "gone"), ("q", "A", "bot_a_1", None, "bot_a_1")]
    extra = "references: {trading.positions.entry_trade_ids: null, trading.positions.exit_trade_ids: null}\n"
    with run(tmp_path, tables(trades=[trade("1")], positions=positions), extra, routing=ROUTING) as outcome:
        assert outcome.candidates("trading.positions", "entry_trade_ids", "exit_trade_ids") == [
            ("[bot_a_1]", None),
            ("[bot_a_1]", "[bot_a_1]"),
        ]
        assert edge(outcome, "trading.positions.entry_trade_ids") == (2, 2, 1, 0, 0)
        assert edge(outcome, "trading.positions.exit_trade_ids") == (2, 2, 1, 0, 0)
        assert residual(outcome, "p") == {"one": "bot_a_1", "two": "gone", "out": "gone"}


def test_one_lost_element_of_a_list_rejects_the_row(tmp_path: Path) -> None:
    positions = [("p", "A", "bot_a_1", "gone", None), ("q", "A", "bot_a_1", None, None)]
    with run(tmp_path, tables(trades=[trade("1")], positions=positions), routing=ROUTING) as outcome:
        assert outcome.rejects() == [("p", "missing_reference", "entry_trade_ids")]
        assert edge(outcome, "trading.positions.entry_trade_ids") == (2, 2, 1, 0, 0)


def test_a_stub_has_the_id_that_points_and_says_what_it_is(tmp_path: Path) -> None:
    orders = TABLE_WITH_TIME
    rows = [("o", "A", "gone", WHEN), ("p", "A", "gone", WHEN), ("q", "B", "lost", WHEN)]
    made = {"orders": Table(mapping=orders, columns=("id", "bot", "trade", "at"), rows=rows)}
    with run(tmp_path, made, STUB, routing=ROUTING) as outcome:
        assert outcome.codes() == {}
        assert outcome.candidates(
            "trading.trades", "trade_id", "bot_id", "quantity", "strategy", "strategy_params"
        ) == [
            ("gone", "bot_a", "2.00000000", "unknown", '{"stub_for": "trading.orders.trade_id"}'),
            ("lost", "bot_b", "2.00000000", "unknown", '{"stub_for": "trading.orders.trade_id"}'),
        ]
        lineage = outcome.staging.rows(
            'select "#n", source_key, outcome from cand."#lineage" where target_table = \'trading.trades\' order by all'
        )
        assert lineage == [(1, "o", "mapped"), (1, "p", "merged"), (2, "q", "mapped")]
        assert outcome.counts("orders").mapped == 3
        assert edge(outcome, "trading.orders.trade_id") == (2, 1, 2, 0, 0)


TABLE_WITH_TIME = """\
from: orders
key: [id]
bot: bot
columns: {id: text, bot: text, trade: text, at: instant}
into:
  trading.orders:
    order_id: concat(bot_id, '_', id)
    symbol: "'BTCUSDT'"
    order_type: "'market'"
    side: "'buy'"
    quantity: 2
    created_at: at
    trade_id: trade
"""


def test_a_stub_that_would_break_the_target_is_not_made_and_the_row_is_rejected(tmp_path: Path) -> None:
    rows = [("o", "A", "gone", None), ("p", "A", "lost", WHEN)]
    made = {"orders": Table(mapping=TABLE_WITH_TIME, columns=("id", "bot", "trade", "at"), rows=rows)}
    with run(tmp_path, made, STUB, routing=ROUTING) as outcome:
        assert outcome.rejects() == [("o", "missing_reference", "trade")]
        assert outcome.candidates("trading.trades", "trade_id") == [("lost",)]
        assert edge(outcome, "trading.orders.trade_id") == (2, 2, 2, 0, 0)


def test_what_a_stub_stands_for_is_there_for_other_references_too(tmp_path: Path) -> None:
    made = {
        "orders": Table(mapping=TABLE_WITH_TIME, columns=("id", "bot", "trade", "at"), rows=[("o", "A", "gone", WHEN)]),
        **tables(signals=[("s", "A", None, "gone"), ("t", "A", None, "lost")]),
    }
    with run(tmp_path, made, STUB, routing=ROUTING) as outcome:
        assert outcome.codes() == {"t": "missing_reference"}
        assert edge(outcome, "trading.signals.execution_trade_id") == (2, 2, 1, 0, 0)


def test_chains_are_followed_until_nothing_changes(tmp_path: Path) -> None:
    made = tables(
        trades=[trade("1", size="0")],
        positions=[("p", "A", "bot_a_1", None, None)],
        orders=[("o", "A", None, "bot_a_p")],
        signals=[("s", "A", "bot_a_o", None)],
        events=[("e", "A", "bot_a_o", None)],
    )
    extra = "references: {audit.system_events.order_id: null}\n"
    with run(tmp_path, made, extra, routing=ROUTING) as outcome:
        assert outcome.codes() == {
            "1": "check_violation",
            "p": "rejected_reference",
            "o": "rejected_reference",
            "s": "rejected_reference",
        }
        assert outcome.candidates("audit.system_events", "event_type", "order_id") == [("e", None)]
        assert residual(outcome, "e") == {"order": "bot_a_o"}
        for name in ("positions.entry_trade_ids", "orders.position_id", "signals.execution_order_id"):
            assert edge(outcome, f"trading.{name}") == (1, 1, 0, 1, 0)
        assert edge(outcome, "audit.system_events.order_id") == (1, 1, 0, 1, 0)


WHOLE = """\
from: rows
key: [id]
columns: {id: text, next: text}
into:
  trading.trades:
    trade_id: id
    symbol: "'BTCUSDT'"
    side: "'buy'"
    quantity: 1
    entry_price: 1
    position_size_usd: 1
    entry_time: day_of
    strategy: "'s'"
  trading.orders:
    order_id: id
    symbol: "'BTCUSDT'"
    order_type: "'market'"
    side: "'buy'"
    quantity: 2
    trade_id: next
"""


def test_a_row_is_rejected_as_a_whole_and_long_chains_end_in_two_looks(tmp_path: Path) -> None:
    mapping = WHOLE.replace("columns: {id: text, next: text}", "columns: {id: text, next: text, at: instant}")
    mapping = mapping.replace("day_of", "at")
    chain: list[Row] = [(f"r{i:03}", f"r{i + 1:03}", WHEN) for i in range(60)]
    circle: list[Row] = [("x", "y", WHEN), ("y", "x", WHEN)]
    made = {"rows": Table(mapping=mapping, columns=("id", "next", "at"), rows=[*chain, *circle])}
    with run(tmp_path, made) as outcome:
        codes = outcome.codes()
        assert codes.pop("r059") == "missing_reference"
        assert codes == {f"r{i:03}": "rejected_reference" for i in range(59)}
        assert outcome.candidates("trading.trades", "trade_id") == [("x",), ("y",)]
        assert outcome.staging.value("select max(round) from rej.orphans") == 0
        counts = outcome.counts("rows")
        assert (counts.read, counts.mapped, counts.rejected, counts.residue) == (62, 2, 60, 0)


def test_what_was_found_in_a_row_that_is_rejected_later_is_found_no_more(tmp_path: Path) -> None:
    trades = TRADES.replace("columns: {", "columns: {parent: text, ").replace(
        "strategy: \"'s'\"", "strategy: \"'s'\"\n  trading.orders:\n    order_id: id\n    symbol: \"'B'\"\n"
        "    order_type: \"'market'\"\n    side: \"'buy'\"\n    quantity: 1\n    trade_id: parent",
    )  # fmt: skip
    signals = SIGNALS.replace(
        "into:", "find:\n  t: {in: trading.trades, from: trades, key: [trade], missing: null}\ninto:"
    )
    signals = signals.replace(
        "execution_trade_id: trade", "execution_trade_id: t.trade_id\n    execution_time: t.entry_time"
    )
    made = {
        "trades": Table(mapping=trades, columns=("parent", *MAPPINGS["trades"][1]), rows=[("gone", *trade("1"))]),
        "signals": Table(mapping=signals, columns=MAPPINGS["signals"][1], rows=[("s", "A", None, "1")]),
    }
    with run(tmp_path, made, routing=ROUTING) as outcome:
        assert outcome.codes() == {"1": "missing_reference"}
        assert outcome.candidates("trading.signals", "execution_trade_id", "execution_time") == [(None, None)]
        assert residual(outcome, "s") == {"trade": "1"}
        assert edge(outcome, "signals.trade") == (1, 1, 0, 1, 0)


@pytest.mark.parametrize(("missing", "codes"), [("reject", {"s": RejectCode.MISSING_REFERENCE}), ("null", {})])
def test_a_find_sees_the_rows_of_its_own_bot_only(missing: str, codes: dict[str, str], tmp_path: Path) -> None:
    find = f"find:\n  t: {{in: trading.trades, from: trades, key: [trade], missing: {missing}}}\ninto:"
    signals = SIGNALS.replace("into:", find).replace("execution_trade_id: trade", "execution_trade_id: t.trade_id")
    made = {
        **tables(trades=[trade("1", "B"), trade("2")]),
        "signals": Table(
            mapping=signals, columns=MAPPINGS["signals"][1], rows=[("s", "A", None, "1"), ("t", "A", None, "2")]
        ),
    }
    with run(tmp_path, made, routing=ROUTING) as outcome:
        assert outcome.codes() == codes
        assert outcome.candidates("trading.signals", "execution_trade_id")[-1] == ("bot_a_2",)
        assert edge(outcome, "signals.trade") == (2, 2, 0, 0, 1)


_KEYS = st.sampled_from(["1", "2", "3"])
_BOTS = st.sampled_from(["A", "B"])
_IDS = st.sampled_from([None, None, "bot_a_1", "bot_a_2", "bot_a_3", "bot_b_1", "bot_b_2", "none"])
_POLICIES = st.sampled_from(["reject", "null"])
_NAMES = ("trading.orders.trade_id", "trading.orders.position_id", "trading.positions.entry_trade_ids",
          "trading.positions.exit_trade_ids", "trading.signals.execution_order_id",
          "trading.signals.execution_trade_id")  # fmt: skip
_FIELDS = {
    "trading.trades": (),
    "trading.positions": ((2, 3), (4,)),
    "trading.orders": ((3,), (2,)),
    "trading.signals": ((2,), (3,)),
}
_EDGES = {
    "trading.positions": ("trading.positions.entry_trade_ids", "trading.positions.exit_trade_ids"),
    "trading.orders": ("trading.orders.position_id", "trading.orders.trade_id"),
    "trading.signals": ("trading.signals.execution_order_id", "trading.signals.execution_trade_id"),
    "trading.trades": (),
}
_TO = {"trade": "trading.trades", "order": "trading.orders", "posit": "trading.positions"}


def _unique(rows: list[Row]) -> list[Row]:
    return list({row[0]: row for row in rows}.values())


def brute_force(  # noqa: C901 - every row, every edge, every bot, in plain loops
    stored: dict[str, list[Row]], policies: dict[str, str]
) -> tuple[set[tuple[str, str | None]], dict[tuple[str, str], tuple[int, ...]]]:
    """The rejected rows (target table, key), and the counts of each edge by bot: one reference at a time."""
    bot = {"A": "bot_a", "B": "bot_b"}
    ids = {(table, f"{bot[str(row[1])]}_{row[0]}"): row for table, rows in stored.items() for row in rows}
    gone = {("trading.trades", row[0]) for row in stored["trading.trades"] if row[2] == "0"}
    never = set(gone)

    def why(name: str, one: str, owner: str) -> str | None:
        target = _TO[
            name.rpartition(".")[2].removeprefix("entry_").removeprefix("exit_").removeprefix("execution_")[:5]
        ]
        row = ids.get((target, one))
        if row is None:
            return "missing"
        if (target, row[0]) in gone and bot[str(row[1])] == owner:
            return "rejected"
        if bot[str(row[1])] != owner:
            return "missing" if (target, row[0]) in gone else "other_bot"
        return None

    def lost(table: str, row: Row) -> dict[str, list[tuple[str, str | None]]]:
        return {
            name: [(str(row[i]), why(name, str(row[i]), bot[str(row[1])])) for i in places if row[i] is not None]
            for name, places in zip(_EDGES[table], _FIELDS[table], strict=True)
        }

    changed = True
    while changed:
        changed = False
        for table, rows in stored.items():
            for row in rows:
                bad = any(
                    policies[name] == "reject" and any(reason for _, reason in found)
                    for name, found in lost(table, row).items()
                )
                if bad and (table, row[0]) not in gone:
                    gone.add((table, row[0]))
                    changed = True
    counts: dict[tuple[str, str], tuple[int, ...]] = {}
    for table, rows in stored.items():
        for i, name in enumerate(_EDGES[table]):
            for owner in bot.values():
                mine = [
                    lost(table, row)[name]
                    for row in rows
                    if bot[str(row[1])] == owner
                    and (table, row[0]) not in never
                    and any(row[place] is not None for place in _FIELDS[table][i])
                ]
                if mine:
                    counts[name, owner] = (len(mine),)
                    counts[name, owner] += tuple(
                        sum(any(reason == which for _, reason in found) for found in mine)
                        for which in ("missing", "rejected", "other_bot")
                    )
    return gone, counts


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    trades=st.lists(st.tuples(_KEYS, _BOTS, st.sampled_from(["1", "1", "0"]), st.just(WHEN)), max_size=4),
    positions=st.lists(st.tuples(_KEYS, _BOTS, _IDS, _IDS, _IDS), max_size=4),
    orders=st.lists(st.tuples(_KEYS, _BOTS, _IDS, _IDS), max_size=4),
    signals=st.lists(st.tuples(_KEYS, _BOTS, _IDS, _IDS), max_size=4),
    policies=st.fixed_dictionaries(dict.fromkeys(_NAMES, _POLICIES)),
)
def test_the_graph_is_what_counting_one_reference_at_a_time_gives(
    trades: list[Row],
    positions: list[Row],
    orders: list[Row],
    signals: list[Row],
    policies: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stored = {
        "trading.trades": _unique(trades),
        "trading.positions": _unique(positions),
        "trading.orders": _unique(orders),
        "trading.signals": _unique(signals),
    }
    gone, counts = brute_force(stored, policies)
    made = tables(**{table.partition(".")[2]: rows for table, rows in stored.items()})
    extra = "references:\n" + "".join(f"  {name}: {policy}\n" for name, policy in policies.items())
    with run(tmp_path_factory.mktemp("x"), made, extra, routing=ROUTING) as outcome:
        rejected = outcome.staging.rows("select concat('trading.', source_table), source_key from rej.rejects")
        assert {(str(table), str(key)) for table, key in rejected} == gone
        found = {
            (one.origin, one.bot_id): (one.rows, one.missing, one.rejected, one.other_bot)
            for one in read_references(outcome.staging)
            if one.kind == "target" and not one.origin.endswith("bot_id")
        }
        assert found == counts
        assert all(one.residue == 0 for one in outcome.transformed.counts)


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (
            "trades.id",
            {"2": "bad_value", "p": "rejected_reference", "q": "missing_reference", "r": "missing_reference"},
        ),
        ("{to: trades.id, missing: null}", {"2": "bad_value"}),
    ],
)
def test_a_reference_of_the_store_is_looked_up_before_mapping(said: str, codes: dict[str, str], tmp_path: Path) -> None:
    signals = SIGNALS.replace("into:", f"references:\n  trade: {said}\ninto:").replace(
        "execution_trade_id: trade", "notes: trade"
    )
    rows: list[Row] = [
        (key, "A", None, to) for key, to in (("o", "1"), ("p", "2"), ("q", "9"), ("r", "3"), ("s", None))
    ]
    made = {
        **tables(trades=[trade("1"), ("2", "A", "abc", WHEN), trade("3", "B")]),
        "signals": Table(mapping=signals, columns=MAPPINGS["signals"][1], rows=rows),
    }
    with run(tmp_path, made, routing=ROUTING) as outcome:
        assert outcome.codes() == codes
        assert edge(outcome, "signals.trade") == (4, 4, 1, 1, 1)
        if len(codes) == 1:
            assert outcome.candidates("trading.signals", "notes") == [("1",), (None,), (None,), (None,), (None,)]
            assert residual(outcome, "q") == {"trade": "9"}
            assert residual(outcome, "o") == {}
