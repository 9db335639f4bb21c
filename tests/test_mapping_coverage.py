"""What of a store a mapping does not cover is told before a row is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.coverage import is_ignored, uncovered
from consolidate.model import SourceKind, StagedColumn, StagedSource, StagedTable, UnreadTable
from tests.mapped import Table, compiled, write

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.mapping.language import SystemMapping

MAPPING = """\
from: t
key: [id]
columns: {id: text, level: text}
ignore: {secret: not ours}
into:
  audit.system_events:
    event_type: id
    event_level: log_level[level]
    component: "'c'"
    message: id
"""


def _system(tmp_path: Path) -> SystemMapping:
    extra = "ignore: {old_*: backups, notes: by hand}\n"
    made, problems = compiled(write(tmp_path, {"t": Table(mapping=MAPPING, columns=())}, extra))
    assert problems == ()
    assert made is not None
    return made.system


def _staged(*columns: str, unread: tuple[tuple[str, str, int], ...] = ()) -> StagedSource:
    table = StagedTable(
        source="s", table="t", relation="", rows=0, classed=False, digest="",
        columns=tuple(StagedColumn(name=name, stored_type="text") for name in columns),
    )  # fmt: skip
    others = tuple(UnreadTable(source="s", table=name, kind=kind, rows=rows, columns=()) for name, kind, rows in unread)
    return StagedSource(source="s", kind=SourceKind.POSTGRES, origin="", tables=(table,), unread=others, bytes_read=0)


def test_a_store_that_is_covered_gives_no_problem(tmp_path: Path) -> None:
    unread = (("notes", "table", 3), ("old_1", "table", 3), ("v", "view", 0))
    assert uncovered(_system(tmp_path), _staged("id", "level", "secret", unread=unread)) == ()


def test_a_table_and_a_file_that_nobody_mapped_are_named_with_their_rows(tmp_path: Path) -> None:
    found = uncovered(_system(tmp_path), _staged("id", "level", unread=(("fees", "table", 12), ("x.log", "file", 0))))
    assert [(one.code, one.message) for one in found] == [
        ("unmapped-table", "the table 'fees' of source s with 12 rows is neither mapped nor ignored"),
        ("unmapped-table", "the file 'x.log' of source s is neither mapped nor ignored"),
    ]
    assert all(one.hint and "ignore" in one.hint and one.location for one in found)


def test_a_column_that_is_new_and_one_that_is_gone_are_both_named(tmp_path: Path) -> None:
    found = uncovered(_system(tmp_path), _staged("id", "levle", "fee"))
    assert [(one.code, one.message) for one in found] == [
        ("unmapped-column", "the column 'levle' of s.t is neither mapped, carried nor ignored"),
        ("unmapped-column", "the column 'fee' of s.t is neither mapped, carried nor ignored"),
        ("missing-column", "s.t has no column 'level', which the mapping reads"),
    ]
    assert found[2].hint == "did you mean `levle`?"
    assert found[2].location is not None
    assert found[2].location.line == 3
    (gone,) = uncovered(_system(tmp_path), _staged("id"))
    assert "mapping: <folder>" in (gone.hint or "")


def test_ignore_takes_patterns_and_case_as_written(tmp_path: Path) -> None:
    system = _system(tmp_path)
    assert [is_ignored(system, name) for name in ("old_", "old_2024", "OLD_1", "notes", "note")] == [
        True,
        True,
        False,
        True,
        False,
    ]
