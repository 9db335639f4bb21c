"""What the tests of the three Alpha systems share: small stores of them, projects that are run, and what came of it."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sqlite3
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate import pipeline
from consolidate.bundled import folder
from consolidate.model import RejectCode
from consolidate.postgres import connect
from consolidate.project import load
from consolidate.report import document
from consolidate.target.contract import expected
from consolidate.target.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from consolidate.embedded import Server
    from consolidate.model import RunReport

Cells = dict[str, object]
"""A row of a store, as its bot would write it."""

Row = dict[str, str | None]
"""A row of the target: each value as PostgreSQL writes it, times in UTC."""

SYSTEMS: Final = (
    "ai_agents",
    "claire_de_binare",
    "lxalgo",
    "momentum",
    "quant_timescale",
    "shortseller",
    "taoquant",
)
SETS: Final = ("clean", "defects")
DEMO: Final = {"deployment_mode": "demo", "initial_capital": 10000}

_LINE: Final = re.compile(
    r"\| `(?P<system>\w+)\.(?P<table>\w+)` \| (?:`(?P<key>[^`]*)`|null) \| `(?P<code>\w+)` \| .+ \|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A row of a `defects` store and the code it must be rejected with. `key` None: the key itself is null."""

    system: str
    table: str
    key: str | None
    code: RejectCode


def planted() -> tuple[Planted, ...]:
    """The lines of the table in `fixtures/README.md`, in its order."""
    text = (folder("fixtures") / "README.md").read_text(encoding="utf-8")
    return tuple(
        Planted(
            system=line["system"],
            table=line["table"],
            key=None if line["key"] is None else line["key"].replace(r"\|", "|"),
            code=RejectCode(line["code"]),
        )
        for line in _LINE.finditer(text)
    )


@contextmanager
def database(server: Server) -> Iterator[str]:
    """A fresh, empty database; the DSN of it."""
    name = f"alpha_{uuid.uuid4().hex}"
    server.create(name)
    yield server.dsn(name)
    server.drop(name)


def shortseller_store(dsn: str, tables: Mapping[str, Sequence[Cells]], *, first: str = "select 1") -> None:
    """A Shortseller store with these rows. A column that a row does not name has its default, as in the bot's own
    inserts. `first` is a statement between the empty store and the rows.
    """
    with connect(dsn, what="the store") as connection, connection.transaction():
        connection.execute((folder("fixtures") / "shortseller" / "store.postgres.sql").read_bytes())
        connection.execute(first.encode())
        for table, rows in tables.items():
            for row in rows:
                marks = ", ".join(["%s"] * len(row))
                statement = f'insert into trading."{table}" ({", ".join(row)}) values ({marks})'
                connection.execute(statement.encode(), list(row.values()))


def momentum_store(file: Path, tables: Mapping[str, Sequence[Cells]]) -> None:
    """A Momentum store with these rows, in a new file, or these rows more in one that is there."""
    is_new = not file.exists()
    with closing(sqlite3.connect(file)) as connection:
        if is_new:
            connection.executescript((folder("fixtures") / "momentum" / "store.sqlite.sql").read_text(encoding="utf-8"))
        for table, rows in tables.items():
            for row in rows:
                marks = ", ".join(["?"] * len(row))
                connection.execute(f'insert into "{table}" ({", ".join(row)}) values ({marks})', list(row.values()))
        connection.commit()


REPORT_COLUMNS: Final = (
    "symbol", "entry_time", "exit_time", "avg_entry_price", "exit_price", "quantity", "exit_reason", "net_pnl",
    "return_pct", "duration_hours", "entry_count", "total_invested", "breakeven_triggered", "rule",
)  # fmt: skip
SIGNAL_COLUMNS: Final = (
    "timestamp", "datetime", "symbol", "price", "rule", "rsi", "volatility", "spread", "volume_score", "pump_pct",
)  # fmt: skip


def lxalgo_store(
    place: Path,
    *,
    events: Sequence[Cells] = (),
    states: Sequence[Cells] = (),
    reports: Sequence[Cells] = (),
    signals: Sequence[Cells] = (),
) -> None:
    """A folder of LXAlgo snapshots. A file of each kind is there even when it holds no row, but for states."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "trade_log.json").write_text(json.dumps({"trade_events": list(events)}), encoding="utf-8")
    for i, state in enumerate(states):
        (place / f"state_{i:03}.json").write_text(json.dumps(state), encoding="utf-8")
    for name, columns, rows in (("trades_1", REPORT_COLUMNS, reports), ("signals_1", SIGNAL_COLUMNS, signals)):
        with (place / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def opened(time: str, symbol: str, rule: str, price: float, size: float) -> Cells:
    """An `opened` event of LXAlgo's log. `time` is as the log writes it, with its offset."""
    event = {"timestamp": time, "event": "opened", "symbol": symbol, "rule_id": rule}
    return {**event, "entry_price": price, "position_size": size}


def closed(time: str, symbol: str, rule: str, reason: str | None = "external_close") -> Cells:
    """A `closed` event of LXAlgo's log."""
    return {"timestamp": time, "event": "closed", "symbol": symbol, "rule_id": rule, "reason": reason}


def write_project(
    place: Path,
    target: str,
    sources: Mapping[str, Mapping[str, object]],
    *,
    max_rejects: int = 0,
    accept: Sequence[str] = (),
) -> Path:
    """A project file. It is written as JSON, which is YAML too."""
    limits = {"max_rejects": max_rejects, "accept": list(accept)}
    text = json.dumps({"version": 1, "target": target, "sources": sources, "limits": limits}, indent=1)
    place.mkdir(parents=True, exist_ok=True)
    file = place / "consolidate.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def short_hash(source: str, table: str, key: str) -> str:
    """What ends an identifier: a hash of where the row comes from."""
    return hashlib.sha256(f"{source}|{table}|{key}".encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The target of a project, to be looked into."""

    dsn: str

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        """What a select gives; each column is to be a text."""
        with connect(self.dsn, what="the target") as connection:
            cursor = connection.execute(statement.encode(), list(parameters) or None)
            names = [column.name for column in cursor.description or ()]
            return [
                {name: None if cell is None else str(cell) for name, cell in zip(names, row, strict=True)}
                for row in cursor
            ]

    def of(self, table: str, where: str = "true") -> list[Row]:
        """Rows of a table, in the order in which they were loaded."""
        contract = expected().table(table)
        assert contract is not None
        columns = ", ".join(f't."{column.name}"::text' for column in contract.columns)
        return self.rows(f"select {columns} from {table} as t where {where} order by t.{_order(table)}")

    def made(self, source: str, source_table: str, key: str, table: str) -> list[Row]:
        """The rows of a table that a source row made or was merged into, by lineage."""
        contract = expected().table(table)
        assert contract is not None
        quoted = [text.replace("'", "''") for text in (table, source, source_table, key)]
        return self.of(
            table,
            f't."{identity(contract).target_key}"::text in (select l.target_key from audit.migration_lineage as l where'
            " l.target_table = '{}' and l.source = '{}' and l.source_table = '{}' and l.source_key = '{}')".format(
                *quoted
            ),
        )

    def counts(self) -> dict[str, int]:
        """How many rows each table has, ours of the audit too."""
        names = [table.name for table in expected().tables]
        names += [f"audit.migration_{name}" for name in ("runs", "lineage", "rejects")]
        union = " union all ".join(f"select '{name}' as name, count(*) as n from {name}" for name in names)
        return {str(row["name"]): int(str(row["n"])) for row in self.rows(union)}


def _order(table: str) -> str:
    return "bot_id" if table == "trading.bots" else "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidated:
    """A project that was run, and its target."""

    file: Path
    target: Target
    report: RunReport

    @property
    def json(self) -> Mapping[str, object]:
        """The report as a program reads it."""
        found: Mapping[str, object] = json.loads(document.text_of(document.run(self.report)))
        return found

    def again(self) -> Consolidated:
        """The same project, run once more."""
        return Consolidated(file=self.file, target=self.target, report=pipeline.run(load(self.file, {})))

    def made(self, source: str, source_table: str, key: str, table: str) -> list[Row]:
        """As `Target.made`."""
        return self.target.made(source, source_table, key, table)

    def one(self, source: str, source_table: str, key: str, table: str) -> Row:
        """The one row of a table that a source row made or was merged into."""
        (row,) = self.target.made(source, source_table, key, table)
        return row

    def codes(self, source: str, source_table: str) -> dict[str, str]:
        """The rejects of a source table: code by key."""
        found = (one for one in self.report.rejects if (one.source, one.table) == (source, source_table))
        return {one.key: one.code.value for one in found}

    def outcome(self, source: str, source_table: str, key: str) -> str:
        """What lineage says of a source row: mapped or merged."""
        statement = (
            "select distinct outcome from audit.migration_lineage"
            " where source = %s and source_table = %s and source_key = %s"
        )
        ((row),) = self.target.rows(statement, source, source_table, key)
        return str(row["outcome"])


def consolidated(
    place: Path,
    target: str,
    sources: Mapping[str, Mapping[str, object]],
    *,
    max_rejects: int = 0,
    accept: Sequence[str] = (),
    status: str = "loaded",
) -> Consolidated:
    """Write the project file and run it; the run must end with `status`."""
    file = write_project(place, target, sources, max_rejects=max_rejects, accept=accept)
    report = pipeline.run(load(file, {}))
    assert report.status == status, f"{report.status}: {report.problems}"
    return Consolidated(file=file, target=Target(dsn=target), report=report)
