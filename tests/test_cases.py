"""Cases: a store as text becomes the rows that are expected of it, or each cell that differs is named."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import xmlschema

from consolidate.bundled import folder
from consolidate.cases import case as cases
from consolidate.cases import trial
from consolidate.cli.app import main
from consolidate.errors import ExitCode, UsageError
from consolidate.fixtures import systems
from tests import small_bot
from tests.command import called

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consolidate.cases.outcome import CaseOutcome, Difference
    from consolidate.cases.trial import Bench
    from consolidate.embedded import Server

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent / "junit.xsd")


@pytest.fixture(scope="module")
def bench(postgres_server: Server) -> Iterator[Bench]:
    with trial.equipped(postgres_server, Path(os.environ["CONSOLIDATE_TEST_FOLDER"])) as made:
        yield made


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The case `first` of the small bot, which passes."""
    return small_bot.write(tmp_path)


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{file.name} has no {old!r}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def mapping_of(case: Path) -> Path:
    return case.parent.parent / "trades.yaml"


def expected(case: Path, table: str) -> Path:
    return case / "expected" / f"{table}.yaml"


def tried(bench: Bench, case: Path, *, update: bool = False) -> CaseOutcome:
    return bench.tried(case / "case.yaml", update=update)


def only(found: tuple[Difference, ...]) -> Difference:
    assert len(found) == 1, found
    return found[0]


def texts(case: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in (case / "expected").iterdir()}


# What passes and what does not


def test_a_case_whose_rows_are_as_expected_passes(bench: Bench, first: Path) -> None:
    found = tried(bench, first)
    assert found.problems == ()
    assert (found.name, found.status, found.differences) == ("small/first", "passed", ())
    assert (found.rows, found.rejects, found.exit_code) == (4, 1, 0)


def test_what_update_writes_of_nothing_is_what_a_person_wrote(bench: Bench, first: Path) -> None:
    before = texts(first)
    shutil.rmtree(first / "expected")
    found = tried(bench, first, update=True)
    assert (found.status, found.exit_code) == ("updated", 0)
    assert {one.kind for one in found.differences} == {"unexpected"}
    assert texts(first) == before
    assert tried(bench, first).status == "passed"


def test_a_changed_rule_fails_with_the_cell_and_the_rule_named_and_passes_after_an_update(
    bench: Bench, first: Path
) -> None:
    replaced(
        mapping_of(first),
        "position_size_usd: amount * price",
        "position_size_usd: amount * price + 0.0001 if price > 61000 else amount * price",
    )
    found = tried(bench, first)
    assert (found.status, found.exit_code) == ("differs", ExitCode.FINDINGS)
    one = only(found.differences)
    assert (one.table, one.key, one.kind, one.column) == (
        "trading.trades",
        "small_001_BTCUSDT_1759827600_6f278b8727",
        "cell",
        "position_size_usd",
    )
    assert (one.expected, one.got, one.origin) == ("31000.12500000", "31000.12510000", "trades 2")
    assert one.locations == (f"{mapping_of(first)}:20:5",)
    others = {name: text for name, text in texts(first).items() if name != "trading.trades.yaml"}
    updated = tried(bench, first, update=True)
    assert (updated.status, updated.written) == ("updated", ("expected/trading.trades.yaml",))
    assert updated.differences == found.differences
    assert {name: text for name, text in texts(first).items() if name in others} == others
    assert tried(bench, first).status == "passed"


def test_a_null_is_not_an_empty_text(bench: Bench, first: Path) -> None:
    replaced(expected(first, "trading.trades"), "  notes: ''\n", "  notes:\n")
    one = only(tried(bench, first).differences)
    assert (one.column, one.expected, one.got) == ("notes", None, "")
    small_bot.write(first.parents[2] / "other")
    other = first.parents[2] / "other" / "small" / "cases" / "first"
    replaced(expected(other, "trading.trades"), "- from: trades 1\n", "- from: trades 1\n  notes: ''\n")
    one = only(tried(bench, other).differences)
    assert (one.column, one.expected, one.got) == ("notes", "", None)


def test_a_row_that_is_not_made_and_one_that_nothing_expects_are_told_whole(bench: Bench, first: Path) -> None:
    replaced(first / "rows.sql", "2, 'BTCUSDT', 'sell'", "20, 'BTCUSDT', 'sell'")
    found = {(one.table, one.kind, one.origin) for one in tried(bench, first).differences}
    assert found == {
        ("trading.trades", "missing", "trades 2"),
        ("trading.trades", "unexpected", "trades 20"),
        ("audit.risk_events", "missing", "trades 2"),
        ("audit.risk_events", "unexpected", "trades 20"),
    }


def test_a_row_that_got_another_id_is_the_same_row(bench: Bench, first: Path) -> None:
    replaced(mapping_of(first), "new_id(symbol, moment)", "new_id('X', moment)")
    found = tried(bench, first).differences
    assert {(one.kind, one.column) for one in found} == {("cell", "trade_id")}
    assert len(found) == 2


def test_a_row_that_is_rejected_for_another_reason_is_a_difference(bench: Bench, first: Path) -> None:
    replaced(first / "rows.sql", "'hold', '1'", "'sell', '0'")
    found = {one.column: (one.expected, one.got) for one in tried(bench, first).differences if one.table == "rejects"}
    assert found["code"] == ("unmapped_value", "check_violation")
    assert found["column"] == ("side", "amount")


def test_a_reject_that_nothing_expects_names_the_rule(bench: Bench, first: Path) -> None:
    expected(first, "rejects").unlink()
    one = only(tried(bench, first).differences)
    assert (one.table, one.kind, one.key) == ("rejects", "unexpected", "trades | 3")
    assert one.locations == (f"{mapping_of(first)}:17:11",)


def test_what_a_mapping_warns_of_is_expected_too(bench: Bench, first: Path) -> None:
    replaced(first / "rows.sql", "'buy', '0.5'", "'buy', '500'")
    warned = [one for one in tried(bench, first).differences if one.table == "warnings"]
    assert dict(only(tuple(warned)).cells)["message"] == "small.trades: a large trade (1 row, key 1)"
    tried(bench, first, update=True)
    replaced(mapping_of(first), "warn:", "# moved\nwarn:")
    assert tried(bench, first).status == "passed"


def test_an_update_takes_away_what_is_expected_of_a_table_without_rows(bench: Bench, first: Path) -> None:
    replaced(mapping_of(first), "when: note is not None", "when: note == 'never'")
    assert tried(bench, first, update=True).written == ("expected/audit.risk_events.yaml",)
    assert not expected(first, "audit.risk_events").exists()
    assert tried(bench, first).status == "passed"


# What is broken

BROKEN: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "an unknown key": (
        lambda case: replaced(case / "case.yaml", "about:", "abuot:"),
        "unknown-key",
        "case.yaml:1:1",
    ),
    "no YAML": (lambda case: (case / "case.yaml").write_text("bot: {id: [}\n"), "invalid-yaml", "case.yaml:1:12"),
    "no bot": (lambda case: (case / "case.yaml").write_text("about: nobody\n"), "missing-key", "case.yaml:1:1"),
    "a variable": (
        lambda case: replaced(case / "case.yaml", "small_001", "'${BOT}'"),
        "bad-variable",
        "case.yaml:2:11",
    ),
    "another mapping": (
        lambda case: replaced(case / "case.yaml", "about:", "mapping: momentun\nabout:"),
        "unknown-mapping",
        "case.yaml:1:10",
    ),
    "a time zone that is none": (
        lambda case: replaced(case / "case.yaml", "about:", "time_zone: Mars/Base\nabout:"),
        "unknown-time-zone",
        "case.yaml:1:12",
    ),
    "rows of an unknown table": (
        lambda case: expected(case, "trading.trade").write_text("rows: []\n"),
        "unknown-table",
        "expected/trading.trade.yaml:1:1",
    ),
    "a cell of no column": (
        lambda case: replaced(expected(case, "trading.trades"), "  side: sell", "  sode: sell"),
        "unknown-key",
        "expected/trading.trades.yaml:19:3",
    ),
    "a cell that is a list": (
        lambda case: replaced(expected(case, "trading.trades"), "side: sell", "side: [sell]"),
        "not-a-text",
        "expected/trading.trades.yaml:19:9",
    ),
    "no list of rows": (
        lambda case: expected(case, "trading.trades").write_text("- symbol: x\n"),
        "not-a-map",
        "expected/trading.trades.yaml:1:1",
    ),
    "a row that is none": (
        lambda case: expected(case, "trading.trades").write_text("rows:\n- trades 1\n"),
        "not-a-map",
        "expected/trading.trades.yaml:2:3",
    ),
    "a script with a mistake": (
        lambda case: replaced(case / "rows.sql", "insert into trades values (2", "insert into trade values (2"),
        "bad-script",
        "rows.sql:2:1",
    ),
    "a row that the store does not take": (
        lambda case: replaced(case / "rows.sql", "'2025-10-07T10:00:00Z'", "null"),
        "bad-script",
        "rows.sql:3:1",
    ),
    "no store": (lambda case: (case.parent / "store.sqlite.sql").unlink(), "no-store", ""),
    "a mapping with a mistake": (
        lambda case: replaced(mapping_of(case), "quantity: amount", "quantity: amont"),
        "bad-expression",
        "trades.yaml:18:15",
    ),
    "a mapping that cannot be read": (
        lambda case: (case.parent.parent / "system.yaml").write_text("system: [\n"),
        "invalid-yaml",
        "system.yaml:2:1",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_with_a_case_is_told_with_its_place(what: str, bench: Bench, first: Path) -> None:
    breaks, code, place = BROKEN[what]
    breaks(first)
    before = texts(first)
    found = tried(bench, first, update=True)
    assert (found.status, found.exit_code) == ("broken", ExitCode.USAGE), found
    places = {one.code: str(one.location or "") for one in found.problems}
    assert code in places, found.problems
    assert places[code].endswith(place), places
    assert texts(first) == before


@pytest.mark.parametrize(
    ("rows", "place"),
    [
        ("select 1;\nselect  nothing;\n", "rows.sql:2:9"),
        ("-- a; comment\ninsert into t values (1);\n\n  insert into t values (1);\n", "rows.sql:4:3"),
    ],
)
def test_a_mistake_in_a_script_for_postgresql_is_told_with_its_place(
    rows: str, place: str, bench: Bench, first: Path
) -> None:
    replaced(first.parent.parent / "system.yaml", "kind: sqlite", "kind: postgres")
    (first.parent / "store.postgres.sql").write_text("create table t (id integer primary key);\n")
    (first / "rows.sql").write_text(rows)
    (problem,) = tried(bench, first).problems
    assert problem.code == "bad-script"
    assert str(problem.location).endswith(place), problem


def test_a_broken_case_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = small_bot.write(tmp_path)
    for name in ("broken", "changed"):
        shutil.copytree(first, first.parent / name)
    replaced(first.parent / "broken" / "case.yaml", "about:", "abuot:")
    replaced(expected(first.parent / "changed", "trading.trades"), "side: sell", "side: buy")
    told, junit = tmp_path / "told.json", tmp_path / "told.xml"
    arguments = ["test", str(first.parent.parent), "--json", str(told), "--junit", str(junit)]
    assert main(arguments) == ExitCode.USAGE
    document = json.loads(told.read_text(encoding="utf-8"))
    assert {one["case"]: one["status"] for one in document["cases"]} == {
        "small/broken": "broken",
        "small/changed": "differs",
        "small/first": "passed",
    }
    assert (document["schema"], document["exit_code"]) == ("consolidate.test/1", 2)
    (difference,) = document["cases"][1]["differences"]
    assert (difference["column"], difference["expected"], difference["got"]) == ("side", "buy", "sell")
    SCHEMA.validate(junit)
    suite = junit.read_text(encoding="utf-8")
    assert 'tests="3" failures="1" errors="1"' in suite
    assert "side: expected 'buy' → got 'sell'" in suite
    said = capsys.readouterr()
    assert "side: expected 'buy' → got 'sell'" in said.out
    assert "case.yaml:1:1" in said.out
    assert "1 case passed, 1 case not as expected, 1 case broken" in said.err


# Which cases there are


def test_a_mapping_has_its_cases_beside_it_and_any_folder_can_hold_some(first: Path) -> None:
    mapping = first.parent.parent
    file = first / "case.yaml"
    assert cases.listed(str(mapping), None) == ((file, mapping),)
    assert cases.listed(str(first), None) == ((file, None),)
    assert cases.listed(str(first.parent), None) == ((file, None),)
    assert cases.listed("momentum", first.parent) == ((file, folder("mappings") / "momentum"),)
    assert cases.listed(None, first.parent) == ((file, None),)


def test_every_system_that_ships_has_a_clean_case_and_one_of_defects() -> None:
    found = {(file.parent.parent.name, file.parent.name) for file, _ in cases.listed(None, None)}
    assert found >= {(system, set_) for system in systems() for set_ in ("clean", "defects")}
    for system in systems():
        assert {file.parent.parent.name for file, _ in cases.listed(system, None)} == {system}


@pytest.mark.parametrize(
    ("mapping", "place", "code"),
    [
        ("momentun", None, "unknown-mapping"),
        ("momentun", ".", "unknown-mapping"),
        (None, "nowhere", "no-such-folder"),
        (None, "empty", "no-cases"),
        ("empty", None, "no-cases"),
    ],
)
def test_where_no_case_is_nothing_passes(
    mapping: str | None, place: str | None, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as raised:
        cases.listed(mapping, None if place is None else Path(place))
    assert raised.value.problems[0].code == code


@pytest.mark.parametrize("system", ["shortseller", "momentum", "lxalgo"])
def test_the_cases_that_ship_pass(temporary_folder: Path, system: str) -> None:
    """Those of the first three systems; `.ci/run` runs all, as `consolidate test` does."""
    passed = called("test", system, "--json", "told.json", "--junit", "told.xml", cwd=temporary_folder)
    assert passed.code == ExitCode.DONE, passed.out + passed.err
    document = json.loads((temporary_folder / "told.json").read_text(encoding="utf-8"))
    assert {one["status"] for one in document["cases"]} == {"passed"}
    assert all(one["rows"] > 0 for one in document["cases"])
    SCHEMA.validate(temporary_folder / "told.xml")
    assert f"{len(document['cases'])} cases passed" in passed.out


def test_a_changed_copy_of_a_mapping_is_tested_with_the_cases_of_the_original(bench: Bench, tmp_path: Path) -> None:
    changed = tmp_path / "momentum"
    shutil.copytree(folder("mappings") / "momentum", changed)
    replaced(changed / "trades.yaml", "    symbol: unified\n", "    symbol: symbol\n")
    file = folder("fixtures") / "momentum" / "defects" / "case.yaml"
    found = bench.tried(file, mapping=changed)
    assert (found.status, found.exit_code) == ("differs", ExitCode.FINDINGS)
    assert ("symbol", "BTCUSDT", "BTC/USDT") in {(one.column, one.expected, one.got) for one in found.differences}
