"""The catalogue of defects, `fixtures/<system>/catalogue.yaml`: read, planted into clean stores, run and compared."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate import fixtures, pipeline
from consolidate.bundled import folder
from consolidate.mapping import yaml
from consolidate.model import RejectCode
from consolidate.postgres import connect
from consolidate.project import load
from tests.alpha import database, write_project
from tests.systems import entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from consolidate.embedded import Server
    from consolidate.fixtures import Store
    from consolidate.model import CheckResult, RunReport

FILE: Final = "catalogue.yaml"
_VALUE: Final = ":value"
_MANY: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done to a store: an SQL statement, or the text of a file more."""

    text: str
    file: str | None = None

    def of(self, value: str) -> Change:
        """The change with the value in its place."""
        return Change(text=self.text.replace(_VALUE, value), file=self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One row that something caught: a reject code or `suite/expectation`, and the row."""

    by: str
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """An entry. `rows` are the rows that it is caught at; `severity` is that of an expectation, None for a reject."""

    system: str
    name: str
    wrong: str
    changes: tuple[Change, ...]
    defect: str
    twin: str
    caught_by: str
    severity: str | None
    rows: tuple[str, ...]
    batch: int

    @property
    def found(self) -> frozenset[Found]:
        """What a run must find because of it."""
        return frozenset(Found(by=self.caught_by, row=row) for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The entries of a system. `before` adds ordinary rows to its clean store; `clean` is what is found in those."""

    system: str
    clean: frozenset[Found]
    before: tuple[Change, ...]
    defects: tuple[Defect, ...]

    def planted(self, batch: int) -> list[Change]:
        """What makes a store with the defects of a batch."""
        return [*self.before, *(one.of(each.defect) for each in self.of(batch) for one in each.changes)]

    def twins(self, batch: int) -> list[Change]:
        """What makes a store with the twins of a batch."""
        return [*self.before, *(one.of(each.twin) for each in self.of(batch) for one in each.changes)]

    def of(self, batch: int) -> list[Defect]:
        """The defects that share a store."""
        return [each for each in self.defects if each.batch == batch]

    @property
    def batches(self) -> list[int]:
        """The numbers of the stores that the defects need."""
        return sorted({each.batch for each in self.defects})


def systems() -> list[str]:
    """The systems that have a catalogue."""
    return sorted(file.parent.name for file in folder("fixtures").glob(f"*/{FILE}"))


def read(system: str) -> Catalogue:
    """The catalogue of a system, its entries in the order of the file."""
    file = folder("fixtures") / system / FILE
    problems = yaml.Problems()
    root = yaml.read(file, problems, shown=fixtures.shown(file))
    assert root is not None, problems.found
    assert {one.key for one in root} <= {"clean", "before", "defects"}
    listed = root.get("defects")
    assert isinstance(listed, yaml.Mapping)
    return Catalogue(
        system=system,
        clean=_clean(system, root.get("clean")),
        before=_changes(root.get("before")),
        defects=tuple(_defect(system, one) for one in listed),
    )


def _defect(system: str, said: yaml.Entry) -> Defect:
    assert isinstance(said.value, yaml.Mapping), said.location
    parts = {one.key: one.value for one in said.value}
    assert set(parts) - {"severity", "batch"} == {"wrong", "change", "defect", "twin", "caught_by", "at"}, said.location
    caught_by = _text(parts["caught_by"])
    suite, _, _ = caught_by.partition("/")
    assert caught_by in set(RejectCode) or suite != caught_by, said.location
    severity = _text(parts["severity"]) if "severity" in parts else None
    assert (severity is None) == (caught_by in set(RejectCode)), said.location
    changes = _changes(parts["change"])
    assert any(_VALUE in change.text for change in changes), said.location
    return Defect(
        system=system,
        name=said.key,
        wrong=_text(parts["wrong"]),
        changes=changes,
        defect=_text(parts["defect"]),
        twin=_text(parts["twin"]),
        caught_by=caught_by,
        severity=severity,
        rows=tuple(_row(system, _text(one)) for one in _items(parts["at"])),
        batch=int(_text(parts["batch"])) if "batch" in parts else 1,
    )


def _clean(system: str, node: yaml.Node | None) -> frozenset[Found]:
    if node is None:
        return frozenset()
    assert isinstance(node, yaml.Mapping), node
    return frozenset(Found(by=one.key, row=_row(system, _text(row))) for one in node for row in _items(one.value))


def _row(system: str, text: str) -> str:
    """A row of the source is `table key`; a row of trading.bots, which is no row's own, is the id of the bot."""
    return f"{system}.{text}" if " " in text else text


def _items(node: yaml.Node | None) -> tuple[yaml.Node, ...]:
    if node is None:
        return ()
    return node.items if isinstance(node, yaml.Sequence) else (node,)


def _changes(node: yaml.Node | None) -> tuple[Change, ...]:
    return tuple(
        Change(text=_text(one.get("text")), file=_text(one.get("file")))
        if isinstance(one, yaml.Mapping)
        else Change(text=_text(one))
        for one in _items(node)
    )


def _text(node: yaml.Node | None) -> str:
    assert isinstance(node, yaml.Scalar), node
    return node.text or ""


def findings(server: Server, place: Path, system: str, changes: Sequence[Change]) -> tuple[frozenset[Found], RunReport]:
    """What is found in the clean store of a system, changed so: rejects, and rows that expectations fail at.

    It is what `plan` finds: the whole pipeline but the load.
    """
    with database(server) as target, database(server) as dsn:
        store = fixtures.build(system, fixtures.CLEAN, place / "stores", postgres_dsn=dsn)
        _apply(store, changes)
        where = {"path": str(store.path)} if store.dsn is None else {"dsn": store.dsn}
        sources = {system: {"mapping": system, **where, **entry(system, fixtures.CLEAN)}}
        report = pipeline.plan(load(write_project(place, target, sources, max_rejects=_MANY), {}))
    errored = [f"{check.suite}/{check.name}: {check.observed}" for check in report.checks if check.status == "errored"]
    assert not errored, errored
    assert report.checks, "the suites were not asked"
    assert len(report.rejects) == sum(counts.rejected for counts in report.sources)
    rejected = frozenset(
        Found(by=one.code.value, row=f"{one.source}.{one.table} {one.key or ''}") for one in report.rejects
    )
    return rejected | _failing(report.checks), report


def _failing(checks: Iterable[CheckResult]) -> frozenset[Found]:
    found: set[Found] = set()
    for check in checks:
        if check.status != "failed":
            continue
        assert check.failing_file is not None, check
        with check.failing_file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                place = (
                    f"{row['source']}.{row['source_table']} {row['source_key']}" if "source" in row else row["bot_id"]
                )
                found.add(Found(by=f"{check.suite}/{check.name}", row=place))
    return frozenset(found)


def _apply(store: Store, changes: Sequence[Change]) -> None:
    """Change a store. A statement that changes nothing plants nothing, so it is an error."""
    if store.dsn is not None:
        with connect(store.dsn, what="the store") as connection, connection.transaction():
            connection.execute(b"set local time zone 'UTC'")
            for change in changes:
                assert connection.execute(change.text.encode()).rowcount != 0, change.text
        return
    assert store.path is not None
    if store.path.is_file():
        with closing(sqlite3.connect(store.path)) as file:
            for change in changes:
                assert file.execute(change.text).rowcount != 0, change.text
            file.commit()
        return
    for change in changes:
        assert change.file is not None, change
        (store.path / change.file).write_text(change.text, encoding="utf-8")
