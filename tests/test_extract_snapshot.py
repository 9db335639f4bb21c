"""What arrives in staging from JSON and CSV files is what was written, character by character, or a clear error."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.errors import ConsolidateError, ExitCode, UnreachableError, UsageError
from consolidate.extract import extract, survey
from consolidate.extract.json_text import free_mark, stray, tagged
from consolidate.model import ExtractRequest, Progress, SnapshotTable, SourceKind, StagedSource
from consolidate.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS = SnapshotTable(name="events", files="log*.json", format="json", rows="events")
TRADES = SnapshotTable(name="trades", files="trades*.csv", format="csv")


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "run" / "staging.duckdb") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "snap [1] shots"
    folder.mkdir()
    return folder


def _extract(path: Path, staging: Staging, *tables: SnapshotTable, only: tuple[str, ...] | None = None) -> StagedSource:
    names = tuple(table.name for table in tables) if only is None else only
    request = ExtractRequest(source="bot", kind=SourceKind.SNAPSHOT, tables=names, path=path, snapshots=tables)
    try:
        return extract(request, staging, staging.path.parent, lambda _: None)
    finally:
        assert {each.name for each in staging.path.parent.iterdir()} <= {
            "staging.duckdb",
            "staging.duckdb.wal",
            "spill",
        }


def _refused(path: Path, staging: Staging, *tables: SnapshotTable) -> ConsolidateError:
    with pytest.raises(UnreachableError) as caught:
        _extract(path, staging, *tables)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    return caught.value


NUMBERS = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:f}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        ["1.10", "1E5", "-0", "0.0", "1e-07", "1.5E+10", "1234567890123456789012345678901234567890.1234567890"]
    ),
).filter(lambda text: re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text) is not None)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    st.sampled_from('"\\{}[]:,1.-e\n\t\0\ue000\ue001 truenl')
)


class _Written(float):
    """A number that is dumped just as it was written."""

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, 0.0)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


def _dump(value: object, *, ascii_only: bool = False) -> str:
    """JSON text of a value that may hold `_Written` numbers."""
    match value:
        case _Written():
            return value.text
        case list():
            return "[" + ", ".join(_dump(each, ascii_only=ascii_only) for each in value) + "]"
        case dict():
            return (
                "{"
                + ",".join(
                    f"{json.dumps(k, ensure_ascii=ascii_only)} :{_dump(v, ascii_only=ascii_only)}"
                    for k, v in value.items()
                )
                + "}"
            )
        case _:
            return json.dumps(value, ensure_ascii=ascii_only)


def _staged(row: dict[str, object], name: str) -> tuple[object, str]:  # noqa: PLR0911 - one for each class
    if name not in row:
        return None, "absent"
    match row[name]:
        case None:
            return None, "null"
        case bool() as flag:
            return str(flag).lower(), "boolean"
        case _Written() as number:
            return number.text, "number"
        case str() as text:
            return text, "string"
        case list() as each:
            return each, "array"
        case other:
            return other, "object"


SCALARS = st.none() | st.booleans() | NUMBERS.map(_Written) | TEXTS
CELLS = SCALARS | st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
KEYS = st.sampled_from(["a", "b c", 'd"e', "/f~1", " ", "0", "é'", "select"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.dictionaries(KEYS, CELLS, max_size=5), max_size=8), ascii_only=st.booleans(), bom=st.booleans())
def test_every_json_cell_arrives_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], *, ascii_only: bool, bom: bool
) -> None:
    folder = tmp_path_factory.mktemp("snapshot")
    (folder / "log.json").write_text(
        ("\ufeff" if bom else "") + '{"events":\r\n' + _dump(rows, ascii_only=ascii_only) + "}",
        encoding="utf-8",
        newline="",
    )
    names = list(dict.fromkeys(name for row in rows for name in row))
    with Staging.open(tmp_path_factory.mktemp("run") / "staging.duckdb") as staging:
        source = _extract(folder, staging, EVENTS)
        assert [column.name for column in source.tables[0].columns] == names
        for name in names:
            quoted, kind = name.replace('"', '""'), f"{name}#class".replace('"', '""')
            arrived = staging.rows(f'select "{quoted}", "{kind}" from stg."bot.events" order by "#row"')
            for row, (value, storage_class) in zip(rows, arrived, strict=True):
                expected, expected_class = _staged(row, name)
                assert storage_class == expected_class
                if storage_class in {"array", "object"}:
                    assert _parsed(str(value)) == _parsed(_dump(expected))
                else:
                    assert value == expected


def _parsed(text: str) -> Any:  # noqa: ANN401 - what JSON holds
    """A document with its numbers as the text that was written."""
    return json.loads(text, parse_float=lambda number: ("number", number), parse_int=lambda number: ("number", number))


def test_numbers_keep_all_their_characters_also_inside_of_lists(store: Path, staging: Staging) -> None:
    forty = "0." + "1234567890" * 4
    (store / "log.json").write_text(
        '{"events": [{"a": 1.10, "b": "1.10", "c": [1.10, {"d": 1E5, "e": "5"}], "f": -0.0, "g": ' + forty + "}]}"
    )
    _extract(store, staging, EVENTS)
    assert staging.rows(
        'select a, "a#class", b, "b#class", c, "c#class", f, g, "#file", "#defect" from stg."bot.events"'
    ) == [("1.10", "number", "1.10", "string", '[1.10,{"d":1E5,"e":"5"}]', "array", "-0.0", forty, "log.json", None)]


def test_null_and_absent_are_told_apart_and_no_member_is_dropped(store: Path, staging: Staging) -> None:
    (store / "log1.json").write_text('{"events": [{"a": null}, {"b": true, "a": {}}]}')
    (store / "log2.json").write_text('{"events": [{"c": ""}]}')
    wanted = SnapshotTable(name="events", files="log*.json", format="json", rows="events", columns=("z", "a"))
    source = _extract(store, staging, wanted)
    assert [column.name for column in source.tables[0].columns] == ["a", "b", "c", "z"]
    columns = 'a, "a#class", b, "b#class", c, "c#class", z, "z#class"'
    assert staging.rows(f'select {columns} from stg."bot.events" order by "#row"') == [
        (None, "null", None, "absent", None, "absent", None, "absent"),
        ("{}", "object", "true", "boolean", None, "absent", None, "absent"),
        (None, "absent", None, "absent", "", "string", None, "absent"),
    ]  # fmt: skip


def test_members_of_the_document_are_carried_to_each_row(store: Path, staging: Staging) -> None:
    for day in ("02", "01"):
        (store / f"state_{day}.json").write_text(
            f'{{"taken_at": "2025-01-{day}", "equity": 1.50, "active": [{{"s": "A"}}, {{"s": "B"}}], "version": 3}}'
        )
    balances = SnapshotTable(name="balances", files="state_*.json", format="json")
    active = SnapshotTable(
        name="active", files="state_*.json", format="json", rows="active", carry=("taken_at", "equity", "gone")
    )
    source = _extract(store, staging, balances, active)
    assert [table.rows for table in source.tables] == [2, 4]
    columns = '"#row", "#file", s, taken_at, equity, gone, "gone#class"'
    assert staging.rows(f'select {columns} from stg."bot.active" order by 1') == [
        (1, "state_01.json", "A", "2025-01-01", "1.50", None, "absent"),
        (2, "state_01.json", "B", "2025-01-01", "1.50", None, "absent"),
        (3, "state_02.json", "A", "2025-01-02", "1.50", None, "absent"),
        (4, "state_02.json", "B", "2025-01-02", "1.50", None, "absent"),
    ]  # fmt: skip
    assert staging.rows('select version, active from stg."bot.balances" limit 1') == [("3", '[{"s":"A"},{"s":"B"}]')]
    assert source.unread == ()


def test_nothing_of_a_folder_is_forgotten(store: Path, staging: Staging) -> None:
    (store / "log.json").write_text('{"events": [], "version": 1}')
    (store / "notes.txt").write_text("x")
    (store / "old").mkdir()
    (store / "old" / "log.json").write_text("{}")
    (store / "trades.csv").write_text("a,b\n1,2\n")
    source = _extract(store, staging, EVENTS, TRADES, only=("events",))
    assert [(each.table, each.rows, each.kind) for each in source.unread] == [
        ("trades", 1, "table"), ("log*.json#version", 1, "member"), ("notes.txt", 0, "file"), ("old/", 1, "folder"),
    ]  # fmt: skip
    assert source.unread[0].columns[1].name == "b"
    request = ExtractRequest(source="bot", kind=SourceKind.SNAPSHOT, tables=(), path=store, snapshots=(EVENTS, TRADES))
    assert {(each.table, each.rows) for each in survey(request)} >= {("trades", 1), ("events", 0), ("notes.txt", 0)}


def test_a_member_named_twice_marks_the_row(store: Path, staging: Staging) -> None:
    (store / "log.json").write_text('{"events": [{"a": 1, "b": 2, "a": 3}, {"a": 4}]}')
    source = _extract(store, staging, EVENTS)
    assert staging.rows('select "#defect" from stg."bot.events" order by "#row"') == [("duplicate_key:a",), (None,)]
    assert source.tables[0].rows == 2


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ('{"events": [{"a": 1}', "1:21", "expecting"),
        ('{"events": [\n{"a": NaN}]}', "2:7", "NaN is not a JSON number"),
        ('{"events": [{"a": -Infinity}]}', "1:19", "-Infinity is not a JSON number"),
        ('{"events": [{"a": nan}]}', "1:19", "expecting"),
        ('{"events": [{"a": 1},]}', "1:", ""),
        ('{"events": [{"a": 1,}]}', "1:", ""),
        ('{"events": [{1: 2}]}', "1:14", "expecting"),
        ('{"events": [{"a": 01}]}', "1:20", "expecting"),
        ('{"events": [{"a": .5}]}', "1:19", "expecting"),
        ('{"events": [{"a": 1-2}]}', "1:20", "expecting"),
        ('{"events": [{"a": "x"1}]}', "1:22", "expecting"),
        ('{"events": [{"a": 1"x"}]}', "1:20", "expecting"),
        ('{"events": [{"a": +1}]}', "1:19", "expecting"),
        ('{"events": [{"a": 1.}]}', "1:20", "expecting"),
        ('{"events": [{"a": 0x1}]}', "1:20", "expecting"),
        ('{"events": [] // none\n}', "1:15", "expecting"),
        ("{'events': []}", "1:2", "expecting"),
        ('{"events": [{"a": "x\ty"}]}', "1:21", "invalid control character"),
        ('{"events": [{"a": "\\x"}]}', "1:20", "invalid"),
        ('{"events": [{"a": "\\ud800"}]}', "1:20", "surrogate"),
        ('{"events": []}{}', "1:15", "extra data"),
        ("", "1:1", "expecting"),
        ("   \n", "2:1", "expecting"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_place(
    store: Path, staging: Staging, text: str, place: str, says: str
) -> None:
    (store / "log.json").write_text(text)
    message = str(_refused(store, staging, EVENTS))
    assert "invalid-json" in message
    assert f"{store / 'log.json'}:{place}" in message
    assert says in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "the document is a list, not an object"),
        ("5", "not an object"),
        ('{"trades": []}', "no member 'events'"),
        ('{"events": {}}', "the member 'events' is an object, not a list"),
        ('{"events": null}', "the member 'events' is null"),
        ('{"events": [], "events": []}', "the member 'events' twice"),
        ('{"events": [{}, 5]}', "element 2 of 'events'"),
        ('{"events": [{}, {}, null]}', "element 3 of 'events' is null"),
        ('{"events": [{"A": 1, "a": 2}]}', "column-clash"),
        ('{"events": [{"#row": 1}]}', "column-clash"),
        ('{"events": [{"": 1}]}', "unusable-name"),
        ('{"events": [{"a\\u0000": 1}]}', "unusable-name"),
        ('{"events": [{"x": 1, "x#class": 1}]}', "column-clash"),
    ],
)
def test_a_document_of_another_shape_is_refused(store: Path, staging: Staging, text: str, says: str) -> None:
    (store / "log.json").write_text(text)
    assert says in str(_refused(store, staging, EVENTS))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_another_encoding_is_named(store: Path, staging: Staging, encoding: str) -> None:
    (store / "log.json").write_bytes('{"events": [{"é": "ü"}]}'.encode(encoding))
    assert "not-utf-8" in str(_refused(store, staging, EVENTS))


CSV_CELLS = st.none() | TEXTS.map(lambda text: text.replace("\0", "0"))


def _csv(rows: list[tuple[str | None, ...]], end: str) -> str:
    def cell(value: str | None) -> str:
        if value is None:
            return ""
        plain = value and not set(value) & set('",\r\n')
        return value if plain else '"' + value.replace('"', '""') + '"'

    return "".join(",".join(map(cell, row)) + end for row in rows)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.tuples(CSV_CELLS, CSV_CELLS, CSV_CELLS), max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    mixed=st.booleans(),
)
def test_every_csv_cell_arrives_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str | None, ...]], end: str, *, mixed: bool
) -> None:
    folder = tmp_path_factory.mktemp("snapshot")
    (folder / "trades.csv").write_text(
        'a,"b ""c""",é' + ("\n" if mixed else end) + _csv(rows, end), encoding="utf-8", newline=""
    )
    with Staging.open(tmp_path_factory.mktemp("run") / "staging.duckdb") as staging:
        source = _extract(folder, staging, TRADES)
        assert [column.name for column in source.tables[0].columns] == ["a", 'b "c"', "é"]
        assert staging.rows('select a, "b ""c""", é from stg."bot.trades" order by "#row"') == rows


def test_a_csv_file_of_many_rows_is_numbered_in_its_order(store: Path, staging: Staging) -> None:
    count = 200_000
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "text"])
    writer.writerows((number, 'x\ny"' * (number % 7)) for number in range(1, count + 1))
    (store / "trades_1.csv").write_text(text.getvalue(), newline="")
    (store / "trades_2.csv").write_text(f"id\n{count + 1}", newline="")
    told: list[Progress] = []
    request = ExtractRequest(
        source="bot", kind=SourceKind.SNAPSHOT, tables=("trades",), path=store, snapshots=(TRADES,)
    )
    source = extract(request, staging, staging.path.parent, told.append)
    assert source.tables[0].rows == count + 1
    assert staging.value('select count(*) from stg."bot.trades" where "#row" <> id::bigint') == 0
    assert told[-1] == Progress(stage="extract", subject="bot.trades", done=count + 1, total=None)


def test_a_column_that_one_file_lacks_is_null_in_its_rows(store: Path, staging: Staging) -> None:
    (store / "trades_a.csv").write_text("x,y\n1,2\n")
    (store / "trades_b.csv").write_text("z,x\n3,\n")
    wanted = SnapshotTable(name="trades", files="trades_*.csv", format="csv", columns=("w", "x"))
    source = _extract(store, staging, wanted)
    assert [column.name for column in source.tables[0].columns] == ["x", "y", "z", "w"]
    assert staging.rows('select "#row", "#file", x, y, z, w from stg."bot.trades" order by 1') == [
        (1, "trades_a.csv", "1", "2", None, None), (2, "trades_b.csv", None, None, "3", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n", []),
        ("a,b", []),
        ("a,b\n\n1,2\n\n\n", [("1", "2")]),
        ("a\n1\n\n3\n", [("1",), (None,), ("3",)]),
        ('a,b\n"","" \n'.replace('"" \n', '""\n') + ",\n", [("", ""), (None, None)]),
        ("a,b\n\\N,#x\n 1 , 2\n", [("\\N", "#x"), (" 1 ", " 2")]),
        ("a,b\r1,2\r", [("1", "2")]),
        ("a,b\r\n\r\n1,2\r\n\r\n\n\r3,4\r\n", [("1", "2"), ("3", "4")]),
        ('a,b\r\n"\r\n","\r"\r\n', [("\r\n", "\r")]),
    ],
)
def test_corners_of_csv(store: Path, staging: Staging, text: str, rows: list[tuple[str | None, ...]]) -> None:
    (store / "trades.csv").write_text(text, newline="")
    source = _extract(store, staging, TRADES)
    names = ", ".join(f'"{column.name}"' for column in source.tables[0].columns)
    assert staging.rows(f'select {names} from stg."bot.trades" order by "#row"') == rows


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "empty"),
        ("\n1,2\n", 1, "no header"),
        ("a,b\n1\n", 2, "2 columns, this row has 1"),
        ("a,b\n1,2\n1,2,\n", 3, "2 columns, this row has 3"),
        ('a,b\n"x\ny",2\n1,2,3\n', 4, "this row has 3"),
        ('a,b\n1,"x\n', 2, "end of data"),
        ('a,b\n1,2\n1,x"y\n', 3, "quote"),
        ('a,b\n1,"x"y\n', 2, "expected"),
        ('a,b\n1,"x" \n', 2, "expected"),
        ('a,b\n1, "x"\n', 2, "quote"),
        ("a,a\n1,2\n", 1, "'a' twice"),
        ("a,A\n1,2\n", 1, "differing only by case"),
        ("a,\n1,2\n", 1, "no usable name"),
    ],
)
def test_what_is_not_strict_csv_is_refused_with_its_line(
    store: Path, staging: Staging, text: str, line: int, says: str
) -> None:
    (store / "trades.csv").write_text(text)
    message = str(_refused(store, staging, TRADES))
    assert f"{store / 'trades.csv'}:{line} " in message
    assert says in message


def test_no_snapshot_is_an_error_but_one_table_without_a_file_is_empty(store: Path, staging: Staging) -> None:
    assert "no-snapshot-found" in str(_refused(store, staging, EVENTS, TRADES))
    assert "there is no file at" in str(_refused(store / "nope", staging, EVENTS))
    assert "there is no file at" in str(_refused(store / "*.json", staging, EVENTS))
    (store / "other.txt").write_text("")
    message = str(_refused(store, staging, EVENTS, TRADES))
    assert "log*.json, trades*.csv" in message
    assert str(store) in message
    (store / "log.json").write_text('{"events": [{"a": 1}]}')
    csv_table = SnapshotTable(name="trades", files="trades*.csv", format="csv", columns=("x",))
    source = _extract(store, staging, EVENTS, csv_table)
    assert [table.rows for table in source.tables] == [1, 0]
    assert staging.rows('select "#row", "#file", x from stg."bot.trades"') == []


def test_a_file_and_a_glob_are_paths_too(store: Path, tmp_path: Path) -> None:
    for day in ("a", "b"):
        (store / day).mkdir()
        (store / day / "log.json").write_text(f'{{"events": [{{"day": "{day}"}}]}}')
    for number, path in enumerate([store / "a" / "log.json", tmp_path / "snap [[]1] shots" / "*" / "*.json"]):
        with Staging.open(tmp_path / f"run{number}" / "staging.duckdb") as staging:
            _extract(path, staging, EVENTS)
            expected = [("a", "log.json")] if number == 0 else [("a", "a/log.json"), ("b", "b/log.json")]
            files = staging.rows('select day, "#file" from stg."bot.events" order by "#row"')
            assert [(day, str(file)) for day, file in files] == expected or number == 1
            assert [day for day, _ in files] == [day for day, _ in expected]


def test_a_table_without_a_snapshot_is_named(store: Path, staging: Staging) -> None:
    (store / "log.json").write_text('{"events": []}')
    with pytest.raises(UsageError, match=r"no table event\b[\s\S]*did you mean events"):
        _extract(store, staging, EVENTS, only=("event",))


def test_a_file_that_changes_while_it_is_read_is_noticed(store: Path, staging: Staging) -> None:
    (store / "log1.json").write_text('{"events": [{"a": 1}]}')
    request = ExtractRequest(
        source="bot", kind=SourceKind.SNAPSHOT, tables=("events",), path=store, snapshots=(EVENTS,)
    )

    def rewrite(_: Progress) -> None:
        (store / "log1.json").write_text('{"events": [{"a": 1}, {"a": 2}]}')

    with pytest.raises(UnreachableError, match="changed-while-read"):
        extract(request, staging, staging.path.parent, rewrite)


def test_the_digest_does_not_depend_on_the_order_of_rows_but_on_each_class(store: Path, tmp_path: Path) -> None:
    digests = []
    for number, rows in enumerate(
        ['{"a":1},{"a":"x"}', '{"a":"x"},{"a":1}', '{"a":"1"},{"a":"x"}', '{"a":null},{"a":"x"}', '{},{"a":"x"}']
    ):
        (store / "log.json").write_text(f'{{"events":[{rows}]}}')
        with Staging.open(tmp_path / str(number) / "staging.duckdb") as staging:
            digests.append(_extract(store, staging, EVENTS).tables[0].digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_decimals_of_any_length_survive_many_rows(store: Path, staging: Staging) -> None:
    numbers = [str(Decimal(number) / 7) for number in range(1, 5000)]
    (store / "log.json").write_text('{"events": [' + ",".join(f'{{"n": {number}}}' for number in numbers) + "]}")
    _extract(store, staging, EVENTS)
    assert [value for (value,) in staging.rows('select n from stg."bot.events" order by "#row"')] == numbers


PIECES = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"\\""',
    "1",
    "-2.50",
    "0",
    "1e5",
    "null",
    "true",
    " ",
    "-",
    ".",
    "e",
    "NaN",
    "'",
    "\\",
    '"',
    "\ue000",
    "+",
]


def test_nothing_but_strict_json_is_accepted(staging: Staging) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    @settings(max_examples=300, deadline=None)
    @given(
        pieces=st.lists(st.sampled_from(PIECES), max_size=12),
        valid=CELLS,
        cut=st.integers(0, 60),
        extra=st.sampled_from(PIECES),
    )
    def check(pieces: list[str], valid: object, cut: int, extra: str) -> None:
        written = _dump(valid)
        for text in (
            "".join(pieces),
            written,
            written[:cut] + extra + written[cut:],
            written[:cut] + written[cut + 1 :],
        ):
            mark = free_mark(text)
            assert mark is not None
            with_tags = tagged(pl.Series([text]), mark)
            accepted = staging.value("select json_valid(?)", [with_tags[0]]) is True and not stray(with_tags, mark)[0]
            try:
                json.loads(text, parse_constant=refuse)
            except ValueError:
                assert not accepted
            else:
                assert accepted or "\\ud" in text.lower()

    check()
