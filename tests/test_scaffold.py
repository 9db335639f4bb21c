"""Drafts of mappings: readable, whole, and certain only of what the store itself says."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate import fixtures, pipeline, project
from consolidate.errors import UsageError
from consolidate.scaffold import words
from consolidate.scaffold.draft import MARK
from consolidate.scaffold.scaffold import scaffold
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.errors import Problem
    from consolidate.scaffold.draft import Draft

OPEN = "missing-key"  # of the bot: what the project file or system.yaml must say of it


def drafted(place: Path, store: Path | str, *, name: str = "mybot", schema: str | None = None) -> tuple[Draft, Path]:
    into = place / name
    return scaffold(str(store), into, schema=schema, environment={}), into


def checked(place: Path, mapping: Path, store: str) -> tuple[project.Project, tuple[Problem, ...]]:
    file = place / "consolidate.yaml"
    file.write_text(
        f"version: 1\nsources:\n  mybot:\n    mapping: {json.dumps(str(mapping))}\n    {store}\n    time_zone: UTC\n"
        "    bot: {id: mybot_001, deployment_mode: demo, initial_capital: 1000, bot_type: x, strategy_name: y}\n",
        encoding="utf-8",
    )
    found = project.load(file, {})
    return found, pipeline.check(found)


def unmarked(problems: tuple[Problem, ...]) -> list[str]:
    """The problems whose line is not marked as a question."""
    found = []
    for one in problems:
        if one.location is None:
            found.append(str(one))
            continue
        line = Path(one.location.file).read_text(encoding="utf-8").splitlines()[one.location.line - 1]
        if MARK not in line:
            found.append(f"{line!r}: {one}")
    return found


def lines(folder: Path, file: str) -> dict[str, str]:
    """The lines of a file that have a key, marks and all, by the key."""
    found: dict[str, str] = {}
    for line in (folder / file).read_text(encoding="utf-8").splitlines():
        named = re.match(r"(?:\s*# \?)?\s*(?:- )?([\w.' ]+?):", line) or re.match(r"- (\S+)", line)
        if named:
            found.setdefault(named[1].strip("'"), line)
    return found


def sqlite_store(file: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return file


# What holds of every draft


@pytest.mark.parametrize(("system", "set_"), [("shortseller", "defects"), ("momentum", "clean"), ("lxalgo", "defects")])
def test_a_draft_covers_the_store_and_check_complains_of_open_questions_only(
    system: str, set_: str, tmp_path: Path, empty_dsn: str
) -> None:
    store = fixtures.build(system, set_, tmp_path / "stores", postgres_dsn=empty_dsn)
    schema = "trading" if store.dsn is not None else None
    _, folder = drafted(tmp_path, store.dsn or str(store.path), schema=schema)
    where = f"dsn: {store.dsn}" if store.dsn is not None else f"path: {json.dumps(str(store.path))}"
    found, problems = checked(tmp_path, folder, where)
    assert unmarked(problems) == []
    uncovered = pipeline.inspect(found, "mybot").uncovered
    codes = {one.code for one in uncovered} - {one.code for one in problems}
    told = {one.message for one in uncovered if one.code == "unmapped-column"}
    open_columns = {message for message in told if "neither mapped" in message}
    assert codes <= {"unmapped-column"}, uncovered
    for message in open_columns:  # a column whose type is open is not declared yet
        table, column = re.findall(r"column '([^']+)' of mybot\.(\w+)", message)[0][::-1]
        assert '"?"' in lines(folder, f"{table}.yaml")[column], message


@pytest.mark.parametrize("system", fixtures.systems())
def test_no_draft_says_of_money_what_its_name_does_not(system: str, tmp_path: Path, empty_dsn: str) -> None:
    store = fixtures.build(system, "clean", tmp_path / "stores", postgres_dsn=empty_dsn)
    schema = None if store.dsn is None else "trading" if system == "shortseller" else "public"
    _, folder = drafted(tmp_path, store.dsn or str(store.path), name=system, schema=schema)
    for file in folder.glob("*.yaml"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if re.match(r"    \w*(?:pnl|gross_profit|balance|equity|fees|commission|_pct|win_rate)\w*: ", line):
                target, rule = line.strip().split("#")[0].strip().split(": ", 1)
                assert target.endswith("_usd"), line
                assert rule in {target, f"round({target}, 8)"}, line


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda name: name.strip() == name and "\0" not in name
)
CELLS = st.one_of(
    st.none(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12),
    st.sampled_from(("2025-10-07 08:00:00", "2025-10-07T08:00:00Z", "2025-10-07", "[]", '{"a": 1}', "BUY", "true")),
    st.binary(max_size=4),
)  # fmt: skip


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(NAMES | st.sampled_from(("symbol", "price", "side", "from", "quantity", "Pnl", "timestamp", "#id", "a b")),
             min_size=1, max_size=5, unique_by=lambda name: name.casefold()),
    st.sampled_from(("trades", "positions", "Orders", "candles", "equity", "events", "my log", "x.y")),
    st.data(),
)  # fmt: skip
def test_any_store_gives_a_draft_that_check_reads(
    tmp_path_factory: pytest.TempPathFactory, columns: list[str], table: str, data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("any")
    rows = data.draw(st.lists(st.tuples(*(CELLS for _ in columns)), max_size=4))
    quoted = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in columns]
    store = sqlite_store(place / "any.db", f'create table "{table}" ({", ".join(quoted)})')
    with closing(sqlite3.connect(store)) as connection:
        marks = ", ".join("?" * len(columns))
        connection.executemany(f'insert into "{table}" values ({marks})', rows)
        connection.commit()
    _, folder = drafted(place, store)
    _, problems = checked(place, folder, f"path: {json.dumps(str(store))}")
    assert unmarked(problems) == []


# What is matched, guessed and asked

TRADES = (
    "create table trades (id integer primary key, pair text, direction text, size real, price real, leverage integer,"
    " pnl real, pnl_usd real, opened integer, closed_at text, when_done text, extra text)"
)
ROW = (
    "insert into trades values ({id}, 'BTC/USDT', '{side}', 0.5, 61000.5, 3, 12.5, 12.5, 1759824000,"
    " '2025-10-07T09:00:00Z', '2025-10-07 09:00:00', '{{\"a\": 1}}')"
)


@pytest.fixture
def trades(tmp_path: Path) -> dict[str, str]:
    rows = [ROW.format(id=number, side=side) for number, side in ((1, "B"), (2, "sell"))]
    _, folder = drafted(tmp_path, sqlite_store(tmp_path / "my.db", TRADES, *rows))
    assert lines(folder, "trades.yaml")["key"] == "key: [id]"
    return lines(folder, "trades.yaml")


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("leverage", "  leverage: integer"),
        ("closed_at", "  closed_at: instant"),
        ("exit_time", "    exit_time: closed_at # ? is closed_at the exit_time?"),
        ("symbol", "    symbol: unified_symbol(pair) # ? is pair the symbol?"),
        ("pnl_usd", "  pnl_usd: float"),
        ("B", "    B: '?' # ? what does it mean?"),
        ("sell", "    sell: sell"),
        ("side", "    side: direction_values[direction] # ? not every value has a meaning yet"),
        ("opened", "  opened: epoch_s # ? seconds since 1970, by its values"),
        ("entry_time", "    entry_time: opened # ? is opened the entry_time?"),
        ("when_done", '  when_done: "?" # ? utc_time or local_time? No cell says of which zone its time is'),
        ("extra", "  extra: json # ? JSON, by its values"),
        ("quantity", "  # ? quantity: round(size, 8) # in units of the base, or money? size goes from 0.5 to 0.5"),
        ("position_size_usd", "    # ? position_size_usd: … # required"),
        ("strategy", "    # ? strategy: … # required"),
        ("pnl", "  pnl: float"),
    ],
)
def test_what_is_certain_is_not_marked_and_what_is_not_is(trades: dict[str, str], key: str, line: str) -> None:
    assert re.sub(r" {2,}#", " #", trades[key]).strip() == line.strip()


def test_several_columns_that_identify_a_row_together_are_a_guess(tmp_path: Path) -> None:
    store = tmp_path / "candles.csv"
    store.write_text("symbol,ts,open,close\nA,1759824000000,1,2\nB,1759824000000,1,2\nA,1759824060000,1,2\n")
    draft, folder = drafted(tmp_path, store)
    assert draft.mapped == (("candles", "trading.market_data"),)
    assert lines(folder, "candles.yaml")["key"].startswith("key: [symbol, ts] ")
    assert "# ?" in lines(folder, "candles.yaml")["key"]


def test_lists_of_a_json_document_are_tables_of_their_own(tmp_path: Path) -> None:
    place = tmp_path / "dumps"
    place.mkdir()
    for day in ("20251007", "20251008"):
        document = {"taken_at": f"{day[:4]}-10-07T00:00:00Z", "equity": 5, "orders": [{"id": day, "side": "buy"}]}
        (place / f"dump_{day}.json").write_text(json.dumps(document))
    (place / "bot.log").write_text("started\n")
    draft, folder = drafted(tmp_path, place)
    assert draft.mapped == (("orders", "trading.orders"),)
    system = lines(folder, "system.yaml")
    assert system["orders"].startswith("  orders: {files: 'dump_*.json', format: json, rows: orders}")
    assert draft.ignored == ("bot.log", "dump_*.json#*")
    _, problems = checked(tmp_path, folder, f"path: {json.dumps(str(place))}")
    assert unmarked(problems) == []


def test_a_store_without_tables_gives_a_draft_that_says_so(tmp_path: Path) -> None:
    draft, folder = drafted(tmp_path, sqlite_store(tmp_path / "my.db", "create table secrets (x)"))
    assert (draft.mapped, draft.ignored) == ((), ("secrets",))
    assert "TODO" in lines(folder, "system.yaml")["secrets"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mybot").mkdir()
    (tmp_path / "mybot" / "trades.yaml").write_text("mine")
    store = sqlite_store(tmp_path / "my.db", TRADES)
    with pytest.raises(UsageError, match="is there already"):
        drafted(tmp_path, store)
    assert (tmp_path / "mybot" / "trades.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("nowhere.db", "no-such-store"),
        ("${NOT_SET_ANYWHERE}", "unset-variable"),
        ("postgresql://me:s3cret@host/db", "password-shown"),
    ],
)
def test_a_place_that_is_none_is_told_without_a_secret(source: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        scaffold(source, tmp_path / "draft", environment={})
    assert raised.value.problems[0].code == code
    assert "s3cret" not in str(raised.value)


def test_words_name_columns_and_tables_of_the_target_only() -> None:
    columns = {column.name for table in expected().tables for column in table.columns}
    assert set(words.ALIKE) | words.PRICES | words.UNITLESS <= columns
    assert {table.name for table in expected().tables} >= set(words.TABLES) | set(words.IDS)
