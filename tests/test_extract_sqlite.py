"""What arrives in staging from a SQLite file is what SQLite stores, cell by cell with its class, or a clear error."""

from __future__ import annotations

import math
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.errors import ConsolidateError, ExitCode, UnreachableError, UsageError
from consolidate.extract import extract, sqlite, survey
from consolidate.model import ExtractRequest, Progress, SourceKind, StagedSource
from consolidate.staging import Staging, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

# Anything that writes is a process of its own: SQLite's locks do not hold between two SQLite libraries of one process.
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "run" / "staging.duckdb") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "odd #? %41 folder"
    folder.mkdir()
    return folder / "trading ?#%20.db"


def _made(file: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return file


def _request(file: Path, *tables: str) -> ExtractRequest:
    return ExtractRequest(source="bot", kind=SourceKind.SQLITE, tables=tables, path=file)


def _extract(file: Path, staging: Staging, *tables: str) -> StagedSource:
    beside = set(file.parent.iterdir()) if file.parent.exists() else set()
    try:
        return extract(_request(file, *tables), staging, staging.path.parent, lambda _: None)
    finally:
        assert (set(file.parent.iterdir()) if file.parent.exists() else set()) == beside


def _refused(file: Path, staging: Staging, *tables: str) -> str:
    with pytest.raises(UnreachableError) as caught:
        _extract(file, staging, *tables)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert staging.rows("select table_name from duckdb_tables()") == []
    return str(caught.value)


Value = None | int | float | str | bytes
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from("\\N\n\t\r\0'\"\x01é😀"))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
REALS = st.floats(allow_nan=False)
BLOBS = st.binary()
COLUMNS = st.sampled_from(
    [
        INTEGERS,
        REALS,
        TEXTS,
        BLOBS,
        st.none(),
        st.none() | INTEGERS,
        st.none() | REALS,
        st.none() | TEXTS,
        st.none() | BLOBS,
        INTEGERS | TEXTS,
        REALS | TEXTS,
        BLOBS | REALS | st.none(),
        st.none() | INTEGERS | REALS | TEXTS | BLOBS,
    ]
)


def _expected(value: Value) -> tuple[str | None, str]:
    match value:
        case None:
            return None, "null"
        case int():
            return str(value), "integer"
        case float():
            return repr(value), "real"
        case str():
            return value, "text"
        case bytes():
            return value.hex().upper(), "blob"


def _same_real(arrived: object, expected: float) -> bool:
    return struct.pack("d", float(str(arrived))) == struct.pack("d", expected)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), batch_rows=st.sampled_from([1, 3, 16_384]))
def test_every_cell_arrives_with_its_class(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, batch_rows: int
) -> None:
    columns = data.draw(st.lists(COLUMNS, min_size=1, max_size=4))
    rows = data.draw(st.lists(st.tuples(*columns), max_size=12))
    file = tmp_path_factory.mktemp("store") / "t.db"
    names = [f"c {number}" for number in range(len(columns))]
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"create table t ({', '.join(map(quoted, names))})")
        connection.executemany(f"insert into t values ({', '.join('?' * len(names))})", rows)
        connection.commit()
    with (
        pytest.MonkeyPatch.context() as patch,
        Staging.open(tmp_path_factory.mktemp("run") / "staging.duckdb") as staging,
    ):
        patch.setattr(sqlite, "BATCH_ROWS", batch_rows)
        source = _extract(file, staging, "t")
        assert source.tables[0].rows == len(rows)
        for number, name in enumerate(names):
            arrived = staging.rows(f'select {quoted(name)}, {quoted(name + "#class")} from stg."bot.t" order by "#row"')
            for row, (value, storage_class) in zip(rows, arrived, strict=True):
                expected, expected_class = _expected(row[number])
                assert storage_class == expected_class
                if isinstance(row[number], float):
                    assert _same_real(value, row[number])
                else:
                    assert value == expected


def test_reals_keep_every_bit_as_text(file: Path, staging: Staging) -> None:
    reals = [
        0.1,
        -0.0,
        math.inf,
        -math.inf,
        5e-324,
        1.7976931348623157e308,
        1e22,
        123456789.123456789,
        2**53 + 1.0,
        1 / 3,
    ]
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table t (r)")  # in a REAL column SQLite itself turns -0.0 into 0.0
        connection.executemany("insert into t values (?)", [(real,) for real in reals])
        connection.commit()
    _extract(file, staging, "t")
    arrived = [value for (value,) in staging.rows('select r from stg."bot.t" order by "#row"')]
    assert all(_same_real(value, real) for value, real in zip(arrived, reals, strict=True))
    assert arrived[1:4] == ["-0.0", "inf", "-inf"]


def test_text_that_is_no_utf_8_is_of_class_invalid_with_its_bytes(file: Path, staging: Staging) -> None:
    _made(
        file,
        "create table t (a text, b)",
        "insert into t values ('good', 1), (cast(x'ff41' as text), 2.5)",
        "insert into t values (cast(x'eda080' as text), cast(x'c0' as text)), (null, x'ff')",
    )
    _extract(file, staging, "t")
    assert staging.rows('select a, "a#class", b, "b#class" from stg."bot.t" order by "#row"') == [
        ("good", "text", "1", "integer"),
        ("FF41", "invalid", "2.5", "real"),
        ("EDA080", "invalid", "C0", "invalid"),
        (None, "null", "FF", "blob"),
    ]


def test_an_empty_text_a_null_and_a_nul_are_told_apart(file: Path, staging: Staging) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table t (a text)")
        connection.executemany("insert into t values (?)", [("",), (None,), ("a\0b",), ("\0",), ("\\N",)])
        connection.commit()
    _extract(file, staging, "t")
    assert staging.rows('select a, "a#class" from stg."bot.t" order by "#row"') == [
        ("", "text"), (None, "null"), ("a\0b", "text"), ("\0", "text"), ("\\N", "text"),
    ]  # fmt: skip


def test_tables_of_every_kind_are_read_and_listed(file: Path, staging: Staging) -> None:
    _made(
        file,
        'create table "Tra""des; --" (ID integer primary key, "Total $" REAL, g as (id * 2),'
        " s text generated always as (id || 'x') stored)",
        'insert into "Tra""des; --" (id, "Total $") values (2, 0.5), (1, 1.5)',
        "create table pairs (k text, v int, primary key (v)) without rowid",
        "insert into pairs values ('b', 2), ('a', 1)",
        "create index by_k on pairs (k, v)",
        "create table ignored (x)",
        "insert into ignored values (1), (2), (3)",
        "create view seen as select x from ignored",
        "create view broken as select x from gone",
        "create table empty (a int, b)",
        "create table counted (id integer primary key autoincrement)",
    )
    source = _extract(file, staging, 'TRA"DES; --', "pairs", "EMPTY")
    assert [table.table for table in source.tables] == ['TRA"DES; --', "pairs", "EMPTY"]
    assert [(column.name, column.stored_type) for column in source.tables[0].columns] == [
        ("ID", "integer"), ("Total $", "real"), ("g", ""), ("s", "text"),
    ]  # fmt: skip
    assert staging.rows('select "#row", ID, "Total $", g, s from stg."bot.Tra""des; --" order by 1') == [
        (1, "1", "1.5", "2", "1x"), (2, "2", "0.5", "4", "2x"),
    ]  # fmt: skip
    assert staging.rows('select "#row", k, v from stg."bot.pairs" order by 1') == [(1, "a", "1"), (2, "b", "2")]
    assert [(each.table, each.rows, each.kind) for each in source.unread] == [
        ("broken", 0, "view"), ("counted", 0, "table"), ("ignored", 3, "table"), ("seen", 0, "view"),
    ]  # fmt: skip
    assert source.bytes_read == file.stat().st_size
    assert len(survey(_request(file))) == 7


def test_all_tables_are_of_one_moment_while_the_bot_writes(file: Path, staging: Staging) -> None:
    _made(
        file,
        "pragma journal_mode = wal",
        "create table a (x)",
        "create table b (x)",
        "insert into a values (1)",
        "insert into b values (1)",
    )
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None

        def write(statement: str) -> None:
            writer.stdin.write(statement + "\n")  # type: ignore[union-attr]
            assert writer.stdout.readline() == "done\n"  # type: ignore[union-attr]

        write("insert into a values (2)")
        told: list[Progress] = []

        def observe(progress: Progress) -> None:
            told.append(progress)
            write("insert into a values (3)")
            write("insert into b values (3)")

        source = extract(_request(file, "a", "b"), staging, staging.path.parent, observe)
        writer.stdin.close()
    assert [table.rows for table in source.tables] == [2, 1]
    assert told == [
        Progress(stage="extract", subject="bot.a", done=2, total=2),
        Progress(stage="extract", subject="bot.b", done=1, total=1),
    ]


def test_a_database_in_wal_mode_at_rest_is_read_without_a_trace(file: Path, staging: Staging) -> None:
    _made(file, "pragma journal_mode = wal", "create table a (x)", "insert into a values (1)")
    _extract(file, staging, "a")  # which checks that no file has come
    assert staging.rows('select x from stg."bot.a"') == [("1",)]


def test_a_bot_that_starts_to_write_meanwhile_is_noticed(file: Path, staging: Staging) -> None:
    _made(file, "pragma journal_mode = wal", "create table a (x)", "insert into a values (1)")

    def start(_: Progress) -> None:
        subprocess.run(
            [sys.executable, "-c", WRITER, str(file)], input="insert into a values (2)\n", text=True, check=True
        )

    with pytest.raises(UnreachableError, match="changed-while-read"):
        extract(_request(file, "a"), staging, staging.path.parent, start)


def test_a_locked_database_is_an_error_in_the_end(
    file: Path, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consolidate.extract.sqlite_file._BUSY_MILLISECONDS", 200)
    _made(file, "create table a (x)")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("begin exclusive\n")
        writer.stdout.readline()
        with pytest.raises(UnreachableError, match="store-locked"):
            extract(_request(file, "a"), staging, staging.path.parent, lambda _: None)
        writer.stdin.close()


def test_what_is_no_database_is_named(file: Path, staging: Staging) -> None:
    assert "no-such-file" in _refused(file, staging, "a")
    assert "not-a-file" in _refused(file.parent, staging, "a")
    file.write_bytes(os.urandom(8192))
    assert "not-a-database" in _refused(file, staging, "a")
    file.write_bytes(b"SQLite format 3\x00" + os.urandom(8192))
    assert "cannot be read" in _refused(file, staging, "a") or "utf-16" in _refused(file, staging, "a")
    file.unlink()
    _made(file, "pragma encoding = 'UTF-16'", "create table a (x)")
    assert "utf-16-database" in _refused(file, staging, "a")


def test_an_empty_file_is_a_database_without_tables(file: Path, staging: Staging) -> None:
    file.touch()
    with pytest.raises(UsageError, match="has no table at all"):
        _extract(file, staging, "a")
    assert survey(_request(file)) == ()


def test_a_missing_table_is_named_with_the_nearest(file: Path, staging: Staging) -> None:
    _made(file, "create table trades (x)", "create view trade as select x from trades")
    with pytest.raises(UsageError, match=r"no table trade\b[\s\S]*did you mean trades\?[\s\S]*has: trades"):
        _extract(file, staging, "trade")


def test_a_damaged_page_is_an_error_and_leaves_no_table(file: Path, staging: Staging) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table a (x, y)")
        connection.executemany("insert into a values (?, ?)", [("x" * 500, None)] * 4000)
        connection.commit()
    raw = bytearray(file.read_bytes())
    raw[4096 * 300 : 4096 * 301] = b"\xff" * 4096
    file.write_bytes(raw)
    assert "store-damaged" in _refused(file, staging, "a")


def test_a_file_that_was_cut_off_is_an_error(file: Path, staging: Staging) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table a (x)")
        connection.executemany("insert into a values (?)", [("x" * 500,)] * 4000)
        connection.commit()
    file.write_bytes(file.read_bytes()[:100_000])
    assert "store-damaged" in _refused(file, staging, "a")


def test_names_that_clash_with_ours_are_refused(file: Path, staging: Staging) -> None:
    _made(file, 'create table a ("#row")', 'create table b (x, "X#CLASS")', 'create table c ("" int)')
    for table, code in (("a", "column-clash"), ("b", "column-clash"), ("c", "unusable-name")):
        assert code in _refused(file, staging, table)


def test_without_permission_the_error_says_what_to_do() -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        file = _made(base / "t.db", "pragma journal_mode = wal", "create table a (x)", "insert into a values (1)")
        (base / "run").mkdir()
        with closing(sqlite3.connect(file)) as connection:  # leaves its log
            connection.execute("insert into a values (2)")
            connection.commit()
            log = Path(str(file) + "-wal").read_bytes()
        Path(str(file) + "-wal").write_bytes(log)
        with Staging.open(base / "run" / "staging.duckdb") as staging:
            base.chmod(0o555)
            with _as_nobody():
                with pytest.raises(UnreachableError, match="store-unopened") as caught:
                    extract(_request(file, "a"), staging, base / "run", lambda _: None)
                assert "copy the file and its -wal file" in str(caught.value)
            file.chmod(0)
            with _as_nobody(), pytest.raises(UnreachableError, match="store-unreadable"):
                extract(_request(file, "a"), staging, base / "run", lambda _: None)
            base.chmod(0o755)


class _as_nobody:  # noqa: N801 - reads as a statement
    """Without root's rights on files, where the tests run as root."""

    def __enter__(self) -> None:
        self.user = os.geteuid()
        if self.user == 0:
            os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        if self.user == 0:
            os.seteuid(0)


def test_large_cells_come_in_small_batches(file: Path, staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_LARGE_FILE", 1)
    monkeypatch.setattr(sqlite, "_BATCH_BYTES", 2**20)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table a (x text, y blob)")
        connection.executemany(
            "insert into a values (?, zeroblob(?))", [("é" * 10_000_000, 1), ("b", 20_000_000), (None, 3)]
        )
        connection.commit()
    told: list[Progress] = []
    source = extract(_request(file, "a"), staging, staging.path.parent, told.append)
    assert source.tables[0].rows == len(told) == 3
    assert staging.rows('select strlen(x), strlen(y) from stg."bot.a" order by "#row"') == [
        (20_000_000, 2), (1, 40_000_000), (None, 6),
    ]  # fmt: skip


def test_an_error_of_staging_stays_one(file: Path, staging: Staging) -> None:
    _made(file, "create table a (x)", "insert into a values (1)")
    _extract(file, staging, "a")
    with pytest.raises(ConsolidateError, match="staging-failed"):
        _extract(file, staging, "a")
