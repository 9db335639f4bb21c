"""Every source row has exactly one outcome, and what is refused is kept as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.errors import UsageError
from consolidate.transform import Routing
from tests.mapped import Row, Table, problems_of, run

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("id", "side", "price", "at", "order_id")
TRADES = """\
from: t
key: [id]
columns: {id: text, side: text, price: decimal, at: instant, order_id: text}
keep: {one_per: [side, at], last: id}
filter: {when: price == 0, reason: placeholders}
reject: [{when: price == 13, code: check_violation, column: price}]
into:
  trading.trades:
    trade_id: new_id(id, at)
    symbol: id
    side: trade_side[side]
    quantity: price
    entry_price: price
    position_size_usd: price * price
    status: "'filled'"
    entry_time: at
    strategy: "'s'"
  trading.orders:
    when: order_id is not None
    order_id: order_id
    symbol: id
    order_type: "'market'"
    side: order_side[side]
    quantity: price
    status: "'filled'"
    created_at: at
    trade_id: trading.trades.trade_id
"""

_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "e", "f|", None]),
        st.sampled_from(["buy", "Sell", "hold", None, "long"]),
        st.sampled_from(["1", "0", "13", "-1", "1.123456789", "NaN", "x", "99999999999999", None]),
        st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "yesterday", None, "infinity"]),
        st.sampled_from([None, "o1", "o2", "o" * 101, "o\0"]),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=_ROWS)
def test_every_row_has_exactly_one_outcome(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    stored = [tuple(None if cell is None else cell.replace("\0", "\x01") for cell in row) for row in rows]
    with run(tmp_path_factory.mktemp("x"), {"t": Table(mapping=TRADES, columns=COLUMNS, rows=stored)}) as outcome:
        counts = outcome.counts("t")
        assert counts.residue == 0
        assert counts.read == len(rows)
        rejects = outcome.staging.rows('select source_key, "row" from rej.rejects')
        assert len(rejects) == counts.rejected
        kept = [tuple(json.loads(str(row))[column] for column in COLUMNS) for _, row in rejects]
        assert all(row in stored for row in kept), "a rejected row is kept as it was stored"
        trades = outcome.candidates("trading.trades", "trade_id")
        assert len(trades) == len(set(trades)) == counts.mapped
        lineage = outcome.staging.rows('select target_table, "#n", source_key from cand."#lineage"')
        assert len(lineage) == len(set(lineage)), "a source key is named once for each target row"
        made = {(target, n) for target, n, _ in lineage}
        orders = outcome.candidates("trading.orders", "order_id")
        assert len(made) == len(trades) + len(orders), "no candidate is without its lineage"
        rejected = {str(key) for key, _ in rejects}
        assert (
            not rejected & {str(key) for *_, key in lineage}
            or any(rows.count(row) > 1 for row in rows)
            or len(stored) > 1
        )


def _one(rows: list[Row], tmp_path: Path, mapping: str = TRADES) -> dict[object, object]:
    with run(tmp_path, {"t": Table(mapping=mapping, columns=COLUMNS, rows=rows)}) as outcome:
        assert outcome.counts("t").residue == 0
        return outcome.codes()


AT = "2024-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ((None, "buy", "1", AT, None), "null_key"), (("a", "hold", "1", AT, None), "unmapped_value"),
        (("a", "long", "1", AT, "o1"), "unmapped_value"), (("a", None, "1", AT, None), "missing_value"),
        (("a", "buy", "NaN", AT, None), "not_finite"), (("a", "buy", "Infinity", AT, None), "not_finite"),
        (("a", "buy", "x", AT, None), "bad_value"), (("a", "buy", "-1", AT, None), "check_violation"),
        (("a", "buy", "1.123456789", AT, None), "inexact"), (("a", "buy", "9999999999999", AT, None), "out_of_range"),
        (("a", "buy", "1", "yesterday", None), "bad_value"), (("a", "buy", "1", "infinity", None), "out_of_range"),
        (("a", "buy", "1", "12024-01-01 00:00:00+00", None), "out_of_range"), (("a", "buy", "1", "2024-01-01 00:00:00+00 BC", None), "out_of_range"),
        (("a", "buy", "1", None, None), "missing_value"), (("a", "buy", "1", AT, "o" * 101), "too_long"),
        (("a", "buy", "13", AT, None), "check_violation"), (("x" * 21, "buy", "1", AT, None), "too_long"),
    ],
)  # fmt: skip
def test_each_kind_of_wrong_row_has_its_code(row: Row, code: str, tmp_path: Path) -> None:
    assert list(_one([row], tmp_path).values()) == [code]


def test_a_filtered_row_is_counted_and_makes_nothing(tmp_path: Path) -> None:
    rows: list[Row] = [("a", "buy", "0", AT, None), ("b", "sell", "1", AT, None)]
    with run(tmp_path, {"t": Table(mapping=TRADES, columns=COLUMNS, rows=rows)}) as outcome:
        counts = outcome.counts("t")
        assert (counts.filtered, counts.mapped) == (1, 1)
        assert outcome.candidates("trading.trades", "symbol") == [("b",)]


def test_a_row_for_which_no_block_applies_stops_the_run_with_its_key(tmp_path: Path) -> None:
    mapping = TRADES.replace(
        "    trade_id: new_id(id, at)\n", "    when: price > 5\n    trade_id: new_id(id, at)\n"
    ).replace("    trade_id: trading.trades.trade_id\n", "")
    with pytest.raises(UsageError, match=r"1 rows of s\.t become nothing, the first has key b"):
        _one([("a", "buy", "6", AT, None), ("b", "sell", "1", AT, None)], tmp_path, mapping)


def test_of_rows_that_agree_the_last_is_kept_and_the_others_follow_it(tmp_path: Path) -> None:
    rows: list[Row] = [("a", "buy", "1", AT, None), ("c", "buy", "2", AT, None), ("b", "buy", "3", AT, None)]
    with run(tmp_path, {"t": Table(mapping=TRADES, columns=COLUMNS, rows=rows)}) as outcome:
        assert outcome.candidates("trading.trades", "symbol") == [("c",)]
        assert (outcome.counts("t").mapped, outcome.counts("t").merged) == (1, 2)
        keys = outcome.staging.rows('select source_key, outcome from cand."#lineage" order by 1')
        assert keys == [("a", "merged"), ("b", "merged"), ("c", "mapped")]
    rejected: list[tuple[str | None, ...]] = [("a", "buy", "1", AT, None), ("b", "buy", "-1", AT, None)]
    assert _one(rejected, tmp_path / "again") == {"a": "check_violation", "b": "check_violation"}


def test_a_doubled_key_is_one_row_where_all_cells_agree_and_no_row_where_not(tmp_path: Path) -> None:
    same: list[Row] = [("a", "buy", "1", AT, None)] * 3
    with run(tmp_path / "same", {"t": Table(mapping=TRADES, columns=COLUMNS, rows=same)}) as outcome:
        assert (outcome.counts("t").mapped, outcome.counts("t").merged) == (1, 2)
    assert _one([same[0], ("a", "buy", "1.0", AT, None)], tmp_path / "other") == {"a": "duplicate_key"}


def test_candidates_that_break_a_unique_constraint_are_all_rejected(tmp_path: Path) -> None:
    mapping = TRADES.replace("order_id: order_id\n", "order_id: concat('o', side)\n")
    rows: list[Row] = [
        ("a", "buy", "1", AT, "1"),
        ("b", "buy", "1", "2024-01-02T00:00:00Z", "2"),
        ("c", "sell", "1", AT, "3"),
    ]
    assert _one(rows, tmp_path, mapping) == {"a": "duplicate_target", "b": "duplicate_target"}


def test_a_source_column_may_be_called_like_one_of_our_layers(tmp_path: Path) -> None:
    mapping = TRADES.replace("order_id: text}", "order_id: text, e0: text, e1: decimal}\ncarry: [e0, e1]")
    table = Table(mapping=mapping, columns=(*COLUMNS, "e0", "e1"), rows=[("a", "buy", "1.5", AT, None, "x", "7")])
    with run(tmp_path, {"t": table}) as outcome:
        assert outcome.candidates("trading.trades", "quantity", "symbol") == [("1.50000000", "a")]
        residual = outcome.staging.value('select residual from cand."#lineage"')
        assert json.loads(str(residual))["e0"] == "x"


def test_rows_are_routed_by_a_column_in_any_case_and_unknown_ones_rejected(tmp_path: Path) -> None:
    mapping = TRADES.replace("key: [id]\n", "key: [id]\nbot: order_id\n").replace(
        "    when: order_id is not None\n", "    when: False\n"
    )
    rows: list[Row] = [
        ("a", "buy", "1", AT, " Demo"),
        ("b", "sell", "1", AT, "LIVE"),
        ("c", "long", "1", AT, "else"),
        ("d", "short", "1", AT, None),
    ]
    routing = Routing(default="", routes=(("DEMO", "bot_d"), ("LIVE", "bot_l")))
    with run(tmp_path, {"t": Table(mapping=mapping, columns=COLUMNS, rows=rows)}, routing=routing) as outcome:
        assert outcome.candidates("trading.trades", "symbol", "bot_id") == [("a", "bot_d"), ("b", "bot_l")]
        assert outcome.codes() == {"c": "unknown_bot", "d": "unknown_bot"}


DOCUMENTS = """\
from: t
key: [id]
columns: {id: text, doc: json}
into:
  audit.system_events: {event_time: newest_time, event_type: id, event_level: "'INFO'", component: "'c'", message: id, details: doc}
""".replace("event_time: newest_time, ", "")


@pytest.mark.parametrize(
    ("document", "code"),
    [('{"a": 1.10}', None), (None, None), ("NaN", "bad_json"), ('{"a":1,}', "bad_json"), ('{"a":1,"a":2}', "bad_json"), ('"\\u0000"', "bad_json")],
)  # fmt: skip
def test_only_json_that_the_target_holds_passes_and_keeps_its_digits(
    document: str | None, code: str | None, tmp_path: Path
) -> None:
    table = Table(mapping=DOCUMENTS, columns=("id", "doc"), rows=[("a", document)])
    if problems_of(tmp_path / "p", DOCUMENTS):
        pytest.fail(str(problems_of(tmp_path / "p", DOCUMENTS)))
    with run(tmp_path, {"t": table}) as outcome:
        assert outcome.codes() == ({} if code is None else {"a": code})
        assert outcome.candidates("audit.system_events", "details") == ([] if code else [(document,)])


OTHER = "from: o\nkey: [id]\ncolumns: {id: text, at: instant}\ninto:\n  trading.account_balance: {total_balance: 1, available_balance: 1, equity: 1, timestamp: at, snapshot_type: id}\n"


def test_a_table_that_the_store_may_lack_is_looked_into_as_empty(tmp_path: Path) -> None:
    mapping = TRADES.replace(
        "keep: {one_per: [side, at], last: id}\n",
        "find: {f: {in: trading.account_balance, from: o, key: [order_id], optional: true}}\n",
    ).replace("strategy: \"'s'\"", "strategy: coalesce('none' if newest(o.at) is None else 'some', f.snapshot_type)")
    tables = {
        "o": Table(mapping=OTHER, columns=()),
        "t": Table(mapping=mapping, columns=COLUMNS, rows=[("a", "buy", "1", AT, None)]),
    }
    with run(tmp_path, tables, "optional: [o]\n") as outcome:
        assert outcome.candidates("trading.trades", "strategy") == [("none",)]
    rows: list[Row] = [("a", "buy", "1", AT, "gone")]
    with run(
        tmp_path / "2", {**tables, "t": Table(mapping=mapping, columns=COLUMNS, rows=rows)}, "optional: [o]\n"
    ) as outcome:
        assert outcome.codes() == {"a": "missing_reference"}
