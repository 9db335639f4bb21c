"""The list of references against the target's schema, and what `check` says of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consolidate.mapping.load_references import MARKS
from consolidate.mapping.references import BOTS, references
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import Kind
from consolidate.target.contract import expected
from consolidate.target.identity import identity
from tests.mapped import problems_of

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN = {"trading.trades.exchange_order_id", "trading.orders.exchange_order_id", "trading.orders.client_order_id"}
"""Ids that the exchange gave: no row of ours has them."""

TABLE = """\
from: t
key: [id]
columns: {id: text, trade: text}
into:
  trading.orders:
    order_id: id
    symbol: "'B'"
    order_type: "'market'"
    side: "'buy'"
    quantity: 1
    trade_id: trade
"""
WHOLE = "symbol: symbol, side: side, quantity: quantity, entry_price: 1, position_size_usd: 1, entry_time: created_at"


def test_every_column_that_holds_an_id_is_a_reference_or_known_to_be_none() -> None:
    known = {one.name for one in references()}
    for table in expected().tables:
        own = {table.primary_key[0], identity(table).target_key, *identity(table).key}
        for column in table.columns:
            name = f"{table.name}.{column.name}"
            if column.name.endswith(("_id", "_ids")) and column.name not in own and name not in FOREIGN:
                assert name in known, f"{name} is missing from sql/unified/references.yaml"


def test_every_foreign_key_is_a_reference_and_marked_as_declared() -> None:
    declared = {(one.table, one.column, one.to_table, one.to_column) for one in references() if one.declared}
    keys = {
        (table.name, key.columns[0], key.table, key.referenced_columns[0])
        for table in expected().tables
        for key in table.foreign_keys
    }
    assert declared == keys


def test_every_reference_points_at_the_identity_of_its_table_with_its_own_type() -> None:
    for one in references():
        there, here = expected().table(one.to_table), expected().table(one.table)
        assert there is not None
        assert here is not None
        column = here.column(one.column)
        assert column is not None
        assert identity(there).target_key == one.to_column
        assert (target_type(column.type).kinds[0] is Kind.LIST) == one.many
        if one.to_table != BOTS:
            mark = there.column(MARKS[one.to_table])
            assert mark is not None
            assert target_type(mark.type).kinds[0] is Kind.JSON


@pytest.mark.parametrize(
    ("said", "code", "place", "words"),
    [
        ("trading.orders.trade: null", "unknown-reference", "4:14", "did you mean `trading.orders.trade_id`?"),
        ("trading.orders.bot_id: null", "unknown-reference", "4:14", "filled in by itself"),
        ("trading.orders.trade_id: nul", "bad-value", "4:39", "`reject`, `null`, or `{stub"),
        ("trading.orders.trade_id: ", "bad-value", "4:38", "`reject`, `null`, or `{stub"),
        ("trading.orders.trade_id: {stubb: {}}", "unknown-key", "4:40", "did you mean `stub`?"),
        (f"trading.orders.trade_id: {{stub: {{{WHOLE}}}}}", "unmapped-column", "4:14", "add `strategy: …`"),
        ("trading.orders.trade_id: stub", "unmapped-column", "4:14", "add `symbol: …`"),
        ("trading.orders.trade_id: {stub: {trade_id: order_id}}", "bad-value", "4:47", "the id that points at it"),
        (
            f"trading.orders.trade_id: {{stub: {{{WHOLE}, strategy: sid}}}}",
            "bad-expression",
            "4:167",
            "did you mean `side`?",
        ),
        (f"trading.orders.trade_id: {{stub: {{{WHOLE}, strategy: quantity}}}}", "bad-expression", "4:167", ""),
        (
            f"trading.orders.trade_id: {{stub: {{{WHOLE}, strategy: newest(x)}}}}",
            "bad-expression",
            "4:167",
            "the row that points",
        ),
        ("trading.orders.position_id: {stub: {entry_trade_ids: list(trade_id)}}", "bad-value", "4:50", "leave it out"),
    ],
)
def test_a_policy_that_cannot_be_is_a_problem_with_its_place(
    said: str, code: str, place: str, words: str, tmp_path: Path
) -> None:
    found = problems_of(tmp_path, TABLE, f"references: {{{said}}}\n")
    shown = [(one.code, str(one.location).rpartition("system.yaml:")[2], one.hint or "") for one in found]
    assert any(one[0] == code and one[1] == place and words in one[2] for one in shown), shown


@pytest.mark.parametrize("said", ["reject", "null", "~", f"{{stub: {{{WHOLE}, strategy: order_id}}}}"])
def test_the_three_policies_are_taken(said: str, tmp_path: Path) -> None:
    assert problems_of(tmp_path, TABLE, f"references: {{trading.orders.trade_id: {said}}}\n") == []


@pytest.mark.parametrize(("missing", "words"), [("stub", "under `references`"), ("none", "`reject`, or `null`")])
def test_a_find_takes_no_stub(missing: str, words: str, tmp_path: Path) -> None:
    table = TABLE.replace(
        "into:", f"find:\n  f: {{in: trading.trades, from: t, key: [trade], missing: {missing}}}\ninto:"
    )
    found = [one for one in problems_of(tmp_path, table) if one.code == "bad-value"]
    assert [words in str(one.hint) for one in found] == [True]
    assert str(found[0].location).endswith("t.yaml:5:59")


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("trade: trades.id", "bad-reference", ""),
        ("trade: t.id", "bad-reference", "the order of `tables`"),
        ("trade: trades", "bad-value", "`trade_id: trades.id`"),
        ("trade: {to: t.id, missing: stub}", "bad-value", "under `references`"),
        ("trad: t.id", "unknown-column", "did you mean `trade`?"),
    ],
)
def test_a_reference_of_the_store_that_cannot_be_is_a_problem(said: str, code: str, words: str, tmp_path: Path) -> None:
    found = problems_of(tmp_path, TABLE.replace("into:", f"references: {{{said}}}\ninto:"))
    assert any(one.code == code and words in (one.hint or "") for one in found), found
