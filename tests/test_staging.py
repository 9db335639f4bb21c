"""The run's DuckDB file: what it lets pass, what it shuts out, and how it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from consolidate.errors import ConsolidateError, ExitCode, UnreachableError
from consolidate.staging import SCHEMAS, Staging, literal, memory_limit, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "new" / "run" / "staging.duckdb") as opened:
        yield opened


def test_a_new_file_has_its_schemas_utc_and_no_extensions(staging: Staging) -> None:
    names = {name for (name,) in staging.rows("select schema_name from duckdb_schemas()")}
    assert names >= set(SCHEMAS)
    for connection in (staging, staging.cursor()):
        assert connection.value("select current_setting('TimeZone')") == "UTC"
    assert staging.value("select current_setting('autoinstall_known_extensions')") is False
    assert staging.value("select current_setting('autoload_known_extensions')") is False


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "staging.duckdb"
    with Staging.open(path) as staging:
        staging.run("create table work.t as select ? as a", ["x"])
    with Staging.open(path) as staging:
        assert staging.rows("from work.t") == [("x",)]
        assert staging.value("select a from work.t where a = ?", ["y"]) is None


@pytest.mark.parametrize("name", ["a", "a b", 'x"y', '"', "select", "a.b", "; drop table t --", "ä", "#row"])
def test_any_name_can_be_quoted(staging: Staging, name: str) -> None:
    staging.run(
        f"create table work.{quoted(name)} as select 1 as {quoted(name)}, {literal(name)} as {quoted(name + '2')}"
    )
    assert staging.rows(f"select {quoted(name)}, {quoted(name + '2')} from work.{quoted(name)}") == [(1, name)]


def test_arrow_goes_in_whole_and_comes_out_in_order(staging: Staging) -> None:
    table = pa.table({"n": list(range(100_000)), "t": [None if n % 3 else f"é{n}" for n in range(100_000)]})
    assert staging.ingest("work.t", table.to_reader(max_chunksize=1000), "n, t, n + 1 as m") == 100_000
    reader = staging.arrow("select n, t from work.t where n >= ?", [10], batch_rows=5000)
    first = reader.read_next_batch()
    assert first.num_rows <= 5000
    assert staging.value("select count(*) from work.t") == 100_000  # while the stream is open
    assert pa.Table.from_batches([first, *reader]).equals(table.slice(10).combine_chunks(), check_metadata=False)


def test_a_reader_that_fails_leaves_no_table(staging: Staging) -> None:
    schema = pa.schema({"n": pa.int64()})

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": [1]}, schema=schema)
        message = "the store went away"
        raise OSError(message)

    with pytest.raises(ConsolidateError):
        staging.ingest("work.t", pa.RecordBatchReader.from_batches(schema, batches()), "n")
    assert staging.rows("select table_name from duckdb_tables()") == []


def test_a_cursor_serves_another_thread(staging: Staging) -> None:
    staging.run("create table work.t as select 1 as a")
    seen: list[object] = []

    def read() -> None:
        with staging.cursor() as cursor:
            seen.append(cursor.value("select a from work.t"))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert seen == [1]
    assert staging.value("select a from work.t") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/hosts')",
        "select * from read_text('/etc/hosts')",
        "select * from glob('/etc/*')",
        "copy (select 1) to '{folder}/out.csv'",
        "attach '{folder}/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set threads = 1",
        "set memory_limit = '1TB'",
    ],
)
def test_a_locked_staging_reaches_nothing_outside(staging: Staging, tmp_path: Path, statement: str) -> None:
    staging.lock_down()
    for connection in (staging, staging.cursor()):
        with pytest.raises(ConsolidateError):
            connection.run(statement.format(folder=tmp_path))


def test_a_locked_staging_still_works_and_spills(tmp_path: Path) -> None:
    with Staging.open(tmp_path / "staging.duckdb", memory_limit_bytes=200 * 2**20) as staging:
        staging.lock_down()
        staging.ingest("work.t", pa.table({"n": [1, 2]}).to_reader(), "n")
        staging.run(
            "create table work.big as select md5(n::varchar) as a, repeat(md5((n * 7)::varchar), 4) as b"
            " from range(1500000) as r(n)"
        )
        assert staging.value("select count(*) from (select a, b from work.big order by b, a offset 1)") == 1_499_999
        assert (
            staging.value(
                "select sum(length(list_item)) from (select a || max(b) as list_item from work.big group by a)"
            )
            is not None
        )


def test_memory_is_never_more_than_its_share() -> None:
    ceiling = memory_limit()
    assert ceiling is not None
    assert memory_limit(2**60) == ceiling
    assert memory_limit(2**20) == 2**20


def test_memory_is_bounded_however_much_the_machine_has(staging: Staging) -> None:
    assert memory_limit() <= 336 * 2**20
    assert staging.value("select current_setting('memory_limit')") == "336.0 MiB"


@pytest.mark.parametrize("free", [33_000, 31_000])
def test_tables_are_compressed_where_the_disk_has_no_room_for_plain_ones(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    staging.fit([1_000], is_kept=False)
    staging.lock_down()
    staging.run("create table work.some as select (range // 1000) as n from range(300000)")
    staging.run("checkpoint")
    kinds = {kind for (kind,) in staging.rows("select distinct compression from pragma_storage_info('work.some')")}
    assert ("Uncompressed" in kinds) is (free > 32_000), kinds


def test_of_little_one_thread_makes_more_than_many(tmp_path: Path) -> None:
    threads = []
    for read in (1_000, 10_000_000):
        with Staging.open(tmp_path / f"{read}.duckdb") as staging:
            staging.fit([read], is_kept=True)
            threads.append(staging.value("select current_setting('threads')"))
    assert threads == [1, os.cpu_count()]


def test_an_error_of_duckdb_never_leaks(staging: Staging) -> None:
    for call in (staging.run, staging.rows, staging.value, staging.arrow):
        with pytest.raises(ConsolidateError) as caught:
            call("select nope from nowhere")
        assert caught.value.exit_code is ExitCode.BUG


def test_memory_that_does_not_suffice_names_the_folder(tmp_path: Path) -> None:
    with Staging.open(tmp_path / "staging.duckdb", memory_limit_bytes=30 * 2**20) as staging:
        staging.run("set max_temp_directory_size = '1MB'")
        with pytest.raises(UnreachableError, match="staging-exhausted") as caught:
            staging.run("create table work.t as select list(md5(n::varchar)) as l from range(3000000) as r(n)")
        assert str(tmp_path) in str(caught.value)
        assert caught.value.exit_code is ExitCode.UNREACHABLE


def test_what_is_no_staging_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("no database " * 1000)
    (tmp_path / "file").touch()
    for path in (tmp_path / "text.duckdb", tmp_path, tmp_path / "file" / "staging.duckdb"):
        with pytest.raises(UnreachableError, match="staging-unopened") as caught:
            Staging.open(path)
        assert str(path) in str(caught.value)


def test_a_file_that_another_process_holds_is_named(tmp_path: Path) -> None:
    path = tmp_path / "staging.duckdb"
    holder = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(UnreachableError, match="staging-held"):
            Staging.open(path)
        process.stdin.close()


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    staging = Staging.open(tmp_path / "staging.duckdb")
    staging.close()
    staging.close()
