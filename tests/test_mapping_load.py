"""Mapping files: every mistake is told with its place, its value and what to do, all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consolidate.bundled import folder
from consolidate.mapping import load
from consolidate.mapping.yaml import Problems
from tests.mapped import Table, compiled, problems_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.errors import Problem

BASE = """\
from: t
key: [id]
columns:
  id: integer
  symbol: text
  price: decimal
  size: float
  at: instant
  side: text
into:
  trading.market_data:
    symbol: symbol
    interval: "'1m'"
    timestamp: at
    open_price: price
    high_price: price
    low_price: price
    close_price: price
    volume: round(size, 8)
    exchange: side
    data_source: "'x'"
"""


def _changed(old: str, new: str) -> str:
    assert BASE.count(old) == 1
    return BASE.replace(old, new)


def _place(problem: Problem) -> str:
    assert problem.location is not None
    return f"{problem.location.file.rsplit('/', 1)[-1]}:{problem.location.line}:{problem.location.column}"


def test_the_mapping_that_the_mistakes_are_planted_in_is_right(tmp_path: Path) -> None:
    assert problems_of(tmp_path, BASE) == []


MISTAKES = [
    ("from: t\n", "form: t\n", "unknown-key", "t.yaml:1:1", "did you mean `from`?"),
    ("from: t\n", "from:\n", "missing-key", "t.yaml:1:6", "add `from: …`"),
    ("from: t\n", "from: u\n", "wrong-file", "t.yaml:1:1", "give both one name"),
    ("key: [id]", "key: []", "missing-key", "t.yaml:1:1", "add `key: [id]`"),
    ("key: [id]", "key: id", "not-a-list", "t.yaml:2:6", "write `[a, b]`"),
    ("key: [id]", "key: [idd]", "unknown-column", "t.yaml:1:1", "did you mean `id`?"),
    ("id: integer", "id: int", "unknown-type", "t.yaml:4:7", "did you mean `integer`?"),
    ("  side: text", "  side: {}", "not-a-text", "t.yaml:9:9", None),
    ("    exchange: side\n", "", "unmapped-column", "t.yaml:9:3", "carry"),
    ("    timestamp: at\n", "", "unmapped-column", "t.yaml:11:3", "add `timestamp: …`"),
    ("exchange: side", "exchnge: side", "unknown-column", "t.yaml:20:5", "did you mean `exchange`?"),
    ("exchange: side", "id: side", "unknown-column", "t.yaml:20:5", "filled in by itself"),
    ("exchange: side", "exchange: sde", "bad-expression", "t.yaml:20:15", "did you mean `side`?"),
    ("exchange: side", "exchange: price", "bad-expression", "t.yaml:20:15", None),
    ("exchange: side", "exchange: uper(side)", "bad-expression", "t.yaml:20:15", "did you mean `upper`?"),
    ("exchange: side", "exchange: trade_sde[side]", "bad-expression", "t.yaml:20:15", "did you mean `trade_side`?"),
    ("exchange: side", "exchange: trade_side[price]", "bad-expression", "t.yaml:20:26", None),
    ("exchange: side", "exchange: concat()", "bad-expression", "t.yaml:20:15", None),
    ("exchange: side", "exchange: upper(side, side)", "bad-expression", "t.yaml:20:15", None),
    ("exchange: side", "exchange: upper(side, x=1)", "bad-expression", "t.yaml:20:29", None),
    ("exchange: side", "exchange: side if price else None", "bad-expression", "t.yaml:20:23", None),
    ("exchange: side", "exchange: side if side > 1 else None", "bad-expression", "t.yaml:20:23", None),
    ("exchange: side", "exchange: side if price > 1 else price", "bad-expression", "t.yaml:20:15", None),
    ("exchange: side", "exchange: first(side)", "bad-expression", "t.yaml:20:15", "use the column itself"),
    ("exchange: side", "exchange: found.side", "bad-expression", "t.yaml:20:15", "`find` makes such names"),
    ("exchange: side", "exchange: trading.trades.symbol", "bad-expression", "t.yaml:20:15", None),
    ("exchange: side", "exchange: a.b.c.d", "bad-expression", "t.yaml:20:15", "schema.table.column"),
    ("exchange: side", "exchange: trading.market_data.exchange", "bad-expression", "t.yaml:20:15", "another cell"),
    ("exchange: side", "exchange: [side]", "not-a-text", "t.yaml:20:15", None),
    ("exchange: side", "exchange: lower(side) if at is None else pack(side)", "bad-expression", "t.yaml:20:15", None),
    ("exchange: side", "exchange: pack(side, side=symbol)", "bad-expression", "t.yaml:20:15", None),
    ("open_price: price", "open_price: round(price, 40)", "bad-expression", "t.yaml:15:17", None),
    ("open_price: price", "open_price: round(price, 9)", "bad-expression", "t.yaml:15:17", "round to 8"),
    ("open_price: price", "open_price: ratio(price, price)", "bad-expression", "t.yaml:15:17", None),
    ("volume: round(size, 8)", "volume: size", "bad-expression", "t.yaml:19:13", "round(size, 8)"),
    ("volume: round(size, 8)", "volume: size if price > 0 else round(size, 8)", "bad-expression", "t.yaml:19:13", "round(size, 8)"),
    ("volume: round(size, 8)", "volume: -(size", "bad-expression", "t.yaml:19:14", None),
    ("trading.market_data:", "trading.market_dta:", "unknown-target", "t.yaml:11:3", "did you mean `trading.market_data`?"),
    ("into:\n", "let: {a: symbol}\ninto:\n", "unused-let", "t.yaml:10:10", "take it out"),
    ("into:\n", "let: {side: symbol}\ninto:\n", "name-clash", "t.yaml:1:1", "rename it"),
    ("into:\n", "ignore: {extra: }\ninto:\n", "missing-reason", "t.yaml:10:10", "say why"),
    ("into:\n", "ignore: {side: no need}\ninto:\n", "ignored-column", "t.yaml:10:10", "do one of both"),
    ("into:\n", "carry: [sidee]\ninto:\n", "unknown-column", "t.yaml:1:1", "did you mean `side`?"),
    ("into:\n", "bot: mode\ninto:\n", "unknown-column", "t.yaml:1:1", None),
    ("into:\n", "filter: {when: price == 0}\ninto:\n", "missing-key", "t.yaml:10:9", "add `reason: …`"),
    ("into:\n", "filter: {when: price, reason: x}\ninto:\n", "bad-expression", "t.yaml:10:16", None),
    ("into:\n", "reject: {when: price == 0}\ninto:\n", "not-a-list", "t.yaml:10:9", "write `- {when: …, code: …}`"),
    ("into:\n", "reject: [{when: price == 0, code: bad}]\ninto:\n", "unknown-code", "t.yaml:10:35", "bad_"),
    ("into:\n", "reject: [{when: price == 0, code: bad_value, column: prce}]\ninto:\n", "unknown-column", "t.yaml:10:10", "did you mean `price`?"),
    ("into:\n", "warn: [{when: price == 0}]\ninto:\n", "missing-key", "t.yaml:10:8", "add `message: …`"),
    ("into:\n", "warn: [{when: price == 0, message: m, without: price == 1}]\ninto:\n", "missing-key", "t.yaml:10:8", "add `in:"),
    ("into:\n", "warn: [{in: trading.trade, when: side == 'x', message: m}]\ninto:\n", "unknown-target", "t.yaml:10:8", "did you mean"),
    ("into:\n", "warn: [{in: trading.trades, when: sde == 'x', message: m}]\ninto:\n", "bad-expression", "t.yaml:10:35", "did you mean `side`?"),
    ("into:\n", "keep: {one_per: [id]}\ninto:\n", "missing-key", "t.yaml:10:7", "add `last: …`"),
    ("into:\n", "pair: {by: [symbol], at: at, event: side, open: o}\ninto:\n", "missing-key", "t.yaml:10:7", "add `close: …`"),
    ("into:\n", "find: {f: {in: trading.trades}}\ninto:\n", "missing-key", "t.yaml:10:11", "add `by`, `mark` or a time"),
    ("into:\n", "find: {f: {in: trading.trade, mark: side}}\ninto:\n", "unknown-target", "t.yaml:10:8", "did you mean"),
    ("into:\n", "find: {f: {in: trading.trades, from: u, key: [id]}}\ninto:\n", "bad-find", "t.yaml:10:8", "order of `tables`"),
    ("into:\n", "find: {f: {in: trading.trades, by: {sid: side}}}\ninto:\n", "unknown-column", "t.yaml:10:8", "did you mean"),
    ("into:\n", "find: {f: {in: trading.trades, by: {quantity: price}}}\ninto:\n", "bad-find", "t.yaml:10:8", "`nearest`"),
    ("into:\n", "find: {f: {in: trading.trades, last: entry_time}}\ninto:\n", "missing-key", "t.yaml:10:11", "add `before: …`"),
    ("into:\n", "find: {f: {in: trading.trades, last: side, before: at}}\ninto:\n", "unknown-column", "t.yaml:10:8", "times"),
    ("into:\n", "find: {f: {in: trading.trades, last: entry_time, nearest: entry_time, before: at, to: at}}\ninto:\n", "bad-value", "t.yaml:10:11", "one of"),
    ("into:\n", "find: {f: {in: trading.trades, nearest: entry_time, to: at, within: soon}}\ninto:\n", "bad-value", "t.yaml:10:69", "whole seconds"),
    ("into:\n", "find: {f: {in: trading.trades, listed: g.entry_trade_ids}}\ninto:\n", "bad-find", "t.yaml:10:8", "list column"),
    ("into:\n", "find: {f: {in: trading.trades, listed: gentry_trade_ids}}\ninto:\n", "bad-value", "t.yaml:10:11", "found.column"),
    ("    symbol: symbol\n", "    per: day\n    symbol: symbol\n", "bad-value", "t.yaml:12:5", "`per: group`"),
    ("    symbol: symbol\n", "    per: group\n    symbol: first(symbol)\n", "bad-block", "t.yaml:11:3", "say what is paired"),
    ("    symbol: symbol\n", "    merge: {into: f}\n    symbol: symbol\n", "bad-merge", "t.yaml:12:12", "`find`"),
    ("    symbol: symbol\n", "    merge: {into: f, keep: [side]}\n    symbol: symbol\n", "bad-merge", "t.yaml:12:12", None),
    ("    symbol: symbol\n", "    merge: {into: f, latest: [symbol]}\n    symbol: symbol\n", "bad-merge", "t.yaml:12:12", None),
    ("    symbol: symbol\n", "    shared: {by: [symbol]}\n    symbol: symbol\n", "missing-key", "t.yaml:12:13", None),
    ("    symbol: symbol\n", "    shared: {by: [symbol], same: [vol]}\n    symbol: symbol\n", "bad-shared", "t.yaml:12:13", None),
    ("    symbol: symbol\n", "    mark: price\n    symbol: symbol\n", "bad-expression", "t.yaml:12:11", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "hint"), MISTAKES, ids=[f"{new.strip()[:40]}" for _, new, *_ in MISTAKES]
)
def test_a_mistake_of_a_table_file_is_told_with_its_place(
    old: str, new: str, code: str, place: str, hint: str | None, tmp_path: Path
) -> None:
    found = [(one.code, _place(one), one.hint or "") for one in problems_of(tmp_path, _changed(old, new))]
    assert any(one[:2] == (code, place) and (hint is None or hint in one[2]) for one in found), found


SYSTEM = "system: made\nkind: sqlite\ntables: [t]\n"
SYSTEM_MISTAKES = [
    ("kind: sqlite", "kind: sqlight", "unknown-kind", "system.yaml:2:7", "did you mean `sqlite`?"),
    ("kind: sqlite", "kind: snapshot", "missing-key", "system.yaml:1:1", "files"),
    ("system: made", "sistem: made", "unknown-key", "system.yaml:1:1", "did you mean `system`?"),
    ("tables: [t]", "tables: []", "missing-key", "system.yaml:3:9", "add `tables"),
    ("tables: [t]", "tables: [t, u]", "missing-file", "system.yaml:3:13", "u.yaml"),
    ("tables: [t]", "tables: [t]\noptional: [u]", "unknown-table", "system.yaml:4:12", None),
    ("tables: [t]", "tables: [t]\ntime_zone: UTC", "bad-value", "system.yaml:4:12", "required"),
    ("tables: [t]", "tables: [t]\nignore: {u: }", "missing-reason", "system.yaml:4:10", "say why"),
    ("tables: [t]", "tables: [t]\nsnapshots: {t: {files: x, format: csv}}", "unknown-key", "system.yaml:4:12", None),
    ("tables: [t]", "tables: [t]\nvalues: {m: {a: x, ' A ': y}}", "duplicate-key", "system.yaml:4:20", None),
    ("tables: [t]", "tables: [t]\nvalues: {m: {a: \"x\\0\"}}", "bad-value", "system.yaml:4:17", "take it out"),
    ("tables: [t]", "tables: [t]\nbot: {statu: active}", "unknown-key", "system.yaml:4:7", "did you mean `status`?"),
    ("tables: [t]", "tables: [t]\nbot: {status: actve}", "bad-value", "system.yaml:4:15", "one of active"),
    ("tables: [t]", "tables: [t]\nbot: {max_positions: many}", "bad-value", "system.yaml:4:22", "whole number"),
    ("tables: [t]", "tables: [t]\nbot: {leverage_limit: '3000000000'}", "bad-value", "system.yaml:4:23", "2147483647"),
    ("tables: [t]", "tables: [t]\nbot: {max_drawdown_pct: 0.12345}", "bad-value", "system.yaml:4:25", "4 after it"),
    ("tables: [t]", "tables: [t]\nbot: {max_drawdown_pct: NaN}", "bad-value", "system.yaml:4:25", "decimal number"),
    ("tables: [t]", f"tables: [t]\nbot: {{bot_type: {'x' * 51}}}", "bad-value", "system.yaml:4:17", "50 fit"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "hint"), SYSTEM_MISTAKES, ids=[new[-30:] for _, new, *_ in SYSTEM_MISTAKES]
)
def test_a_mistake_of_system_yaml_is_told_with_its_place(
    old: str, new: str, code: str, place: str, hint: str | None, tmp_path: Path
) -> None:
    place_ = write(tmp_path, {"t": Table(mapping=BASE, columns=())})
    (place_ / "system.yaml").write_text(SYSTEM.replace(old, new), encoding="utf-8")
    found = [(one.code, _place(one), one.hint or "") for one in compiled(place_)[1]]
    assert any(one[:2] == (code, place) and (hint is None or hint in one[2]) for one in found), found


def test_a_file_that_belongs_to_no_table_is_told(tmp_path: Path) -> None:
    place = write(tmp_path, {"t": Table(mapping=BASE, columns=())})
    (place / "old.yml").write_text("x: 1\n", encoding="utf-8")
    assert [(one.code, _place(one)) for one in compiled(place)[1]] == [("unused-file", "old.yml:1:1")]


def test_a_missing_folder_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    assert [one.code for one in compiled(tmp_path / "nowhere")[1]] == ["unreadable-file"]
    place = write(tmp_path, {"t": Table(mapping=BASE, columns=())})
    (place / "t.yaml").write_bytes(b"from: t\nkey: [\xff]\n")
    assert [(one.code, one.location and one.location.line) for one in compiled(place)[1]] == [("not-utf8", 2)]
    (place / "t.yaml").write_bytes(b"#" * 200_001)
    assert [one.code for one in compiled(place)[1]] == ["file-too-large"]


def test_ten_mistakes_in_one_file_are_told_at_once(tmp_path: Path) -> None:
    text = BASE
    for old, new in (
        ("id: integer", "id: int"), ("key: [id]", "key: [symbol]"), ("into:\n", "carry: [nobody]\nbott: x\ninto:\n"),
        ("timestamp: at", "timestamp: ate"), ("open_price: price", "open_price: price +"), ("high_price: price", "high_price: round(price)"),
        ("low_price: price", "lo_price: price"), ("volume: round(size, 8)", "volume: size"), ("exchange: side", "exchange: trade_sid[side]"),
    ):  # fmt: skip
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    found = {(one.code, _place(one)) for one in problems_of(tmp_path, text)}
    assert found >= {
        ("unknown-type", "t.yaml:4:7"), ("unknown-column", "t.yaml:1:1"), ("unknown-key", "t.yaml:11:1"),
        ("bad-expression", "t.yaml:16:16"), ("bad-expression", "t.yaml:17:17"), ("bad-expression", "t.yaml:18:17"),
        ("unknown-column", "t.yaml:19:5"), ("unmapped-column", "t.yaml:13:3"), ("bad-expression", "t.yaml:21:13"),
        ("bad-expression", "t.yaml:22:15"),
    }  # fmt: skip


@pytest.mark.parametrize("cell", ["\"'opened'\"", "my_status[side]", "'''x'' if price > 0 else None'"])
def test_a_text_that_the_target_refuses_is_told_before_any_row(cell: str, tmp_path: Path) -> None:
    text = (
        "from: t\nkey: [id]\ncolumns: {id: integer, side: text, price: decimal}\ncarry: [side, price]\n"
        f"values:\n  my_status: {{a: filled, b: done}}\ninto:\n  trading.trades:\n    status: {cell}\n"
    )
    assert [_place(one) for one in problems_of(tmp_path, text) if one.code == "unknown-value"] != []


@pytest.mark.parametrize("system", ["lxalgo", "momentum", "shortseller"])
def test_the_mappings_that_come_with_consolidate_are_right(system: str) -> None:
    assert compiled(folder("mappings") / system, zone="Europe/London")[1] == ()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_of_a_mapping_gives_a_mapping_or_located_problems(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at = data.draw(st.integers(0, len(BASE)))
    cut = data.draw(st.integers(0, 12))
    put = data.draw(
        st.one_of(
            st.text(max_size=8), st.sampled_from(["\n", ": ", "  ", "[", "{", "- ", "'", "(", "None", "&a ", "!x "])
        )
    )
    place = write(
        tmp_path_factory.mktemp("m", numbered=True),
        {"t": Table(mapping=BASE[:at] + put + BASE[at + cut :], columns=())},
    )
    problems = Problems()
    system = load.system(place, problems)
    assert system is not None
    made, found = compiled(place)
    assert made is not None
    assert all(one.location is not None for one in found)
    assert bool(found) or len(made.tables) == 1
