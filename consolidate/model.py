"""The frozen core types that pass between stages. Standard library only; no rows are in them, but names of tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.errors import Location, Problem


class SourceKind(StrEnum):
    """How a legacy store is read. One extractor a kind, never one a bot."""

    POSTGRES = "postgres"
    SQLITE = "sqlite"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTable:
    """Where the rows of one table of a snapshot source are: files by name, and for JSON the path of the row list.

    `files` is a glob on the file's name (`trade_log*.json`). `rows` names the member that lists the rows (None: the
    document itself is the one row). `carry` names members of the document that every row gets as columns of its own.
    """

    name: str
    files: str
    format: str  # "json" | "csv"
    rows: str | None = None
    carry: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractRequest:
    """What to read of one source. `tables` are staged; `count_only` are counted but never read (ignored tables)."""

    source: str
    kind: SourceKind
    tables: tuple[str, ...]
    count_only: tuple[str, ...] = ()
    dsn: str | None = field(default=None, repr=False)
    path: Path | None = None
    schema: str | None = None
    snapshots: tuple[SnapshotTable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedColumn:
    """One column of a staged table: its name, and the type its store declares for it (lower case; "" if none)."""

    name: str
    stored_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedTable:
    """A source table as stored, in DuckDB.

    `relation` holds `"#row"` BIGINT (1, 2, …), each column as VARCHAR under its own name (null = null in the store),
    and, where `classed`, `"<column>#class"` VARCHAR with the storage class of each cell. SQLite classes: integer, real,
    text, blob (the VARCHAR is upper-case hex), null. JSON classes: string, number, boolean, object, array (the VARCHAR
    is the JSON text, numbers as written), null, absent. `rows` was counted by the store itself.
    """

    source: str
    table: str
    relation: str
    columns: tuple[StagedColumn, ...]
    rows: int
    classed: bool
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadTable:
    """A table of the store that was counted but not read: one the mapping ignores, or one that it does not know."""

    source: str
    table: str
    rows: int
    kind: str  # "table" | "view"
    columns: tuple[StagedColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedSource:
    """What an extractor returns: one consistent moment of one source. `origin` says where, without secrets."""

    source: str
    kind: SourceKind
    origin: str
    tables: tuple[StagedTable, ...]
    unread: tuple[UnreadTable, ...]
    bytes_read: int


class RejectCode(StrEnum):
    """The published, closed list of reasons for which a source row is rejected; README § Reject codes."""

    NULL_KEY = "null_key"
    DUPLICATE_KEY = "duplicate_key"
    STORAGE_CLASS = "storage_class"
    BAD_VALUE = "bad_value"
    NOT_FINITE = "not_finite"
    NUL_BYTE = "nul_byte"
    BAD_JSON = "bad_json"
    AMBIGUOUS_TIME = "ambiguous_time"
    SKIPPED_TIME = "skipped_time"
    UNMAPPED_VALUE = "unmapped_value"
    UNKNOWN_BOT = "unknown_bot"
    DUPLICATE_BOT = "duplicate_bot"
    MISSING_VALUE = "missing_value"
    INEXACT = "inexact"
    OUT_OF_RANGE = "out_of_range"
    TOO_LONG = "too_long"
    CHECK_VIOLATION = "check_violation"
    DUPLICATE_TARGET = "duplicate_target"
    MISSING_REFERENCE = "missing_reference"
    REJECTED_REFERENCE = "rejected_reference"
    IRREGULAR_SPACING = "irregular_spacing"
    UNMATCHED_CLOSE = "unmatched_close"
    UNOBSERVED_CLOSE = "unobserved_close"
    SOURCE_CONFLICT = "source_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One source row that failed, as the report shows it. `value` is the cell as stored, None for null."""

    source: str
    table: str
    key: str
    code: RejectCode
    column: str | None
    value: str | None
    location: Location | None


COMMITTED: Final = "commit"
"""The stage that is told once, when the rows of a run are in the target for good."""


COMMITTING: Final = "committing"
"""The stage that is told right before the commit: until `COMMITTED` nobody knows whether the rows are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage is, told while it works. `total` is None where the store does not say how much there is."""

    stage: str  # "extract" | "profile" | "transform" | "diff" | "load" | "reconcile" | COMMITTING | COMMITTED
    subject: str  # "mybot.trades" or "trading.trades"
    done: int
    total: int | None
    unit: str = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """The balance sheet of one source table: read = mapped + merged + rejected + filtered + archived, or an error."""

    source: str
    table: str
    read: int
    mapped: int = 0
    merged: int = 0
    rejected: int = 0
    filtered: int = 0
    archived: int = 0

    @property
    def residue(self) -> int:
        """Rows that nothing accounts for; never anything but 0 in a run that goes on."""
        return self.read - self.mapped - self.merged - self.rejected - self.filtered - self.archived


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCounts:
    """What a load does to one target table for one bot (None: rows that belong to no bot, such as shared candles)."""

    table: str
    bot_id: str | None
    candidate: int
    insert: int
    update: int
    unchanged: int
    conflict: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectGroup:
    """All rejects of one source table with one code in one column: how many, and the first of them by key."""

    count: int
    example: Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """What a `round(x, n)` of a mapping changed: how many values, and by how much at most (a decimal as text)."""

    source: str
    table: str
    target: str
    column: str
    rows: int
    largest_change: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control total: the same measure taken on both sides; source = rejected and target together. Decimals are text.

    `source_value` is what the source says in the target's units, of the rows that this load had to prove: of loaded and
    equal ones, and of those rejected. `rejected_value` is None where it was not measured: `rejected_reason` says why,
    and `source_value` is without it. (An extreme of no rows is None too, without a reason.) `difference` is what of the
    source is neither rejected nor in the target: 0, or the run is rolled back.
    """

    table: str
    bot_id: str | None
    measure: str
    source_value: str | None
    rejected_value: str | None
    target_value: str | None
    difference: str | None
    status: str  # "equal" | "different"
    rejected_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How an expectation of a suite ended. `expectation` is Great Expectations' own name, `name` the suite's for it.

    `column` is None where it judges rows or the table. `observed` says in a few words what was seen, or why nothing
    was ("errored"). `failing` counts the rows that it found, None where it is not about rows; `failing_file` lists
    them all, `failing_keys` the first few.
    """

    suite: str
    name: str
    expectation: str
    table: str
    column: str | None
    severity: str  # "critical" | "warning"
    status: str  # "passed" | "failed" | "errored"
    observed: str
    why: str
    location: Location
    failing: int | None = None
    failing_keys: tuple[str, ...] = ()
    failing_file: Path | None = None

    @property
    def refuses(self) -> bool:
        """Whether the load is refused for it: a critical one that failed, or any that could not be judged."""
        return self.status == "errored" or (self.status == "failed" and self.severity == "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class BotMoney:
    """The money of one bot after the run, as the person checks it first: decimals as text, None = not recorded."""

    bot_id: str
    trades: int
    open_positions: int
    pnl_usd: str | None
    fees: str | None
    equity: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCounts:
    """The rows of one bot that point along one edge of the graph of references.

    `kind` "source": from column to table as the legacy store has them; "target": from column to column of the unified
    schema. `rows` point, at `targets` different rows; of the rows, `missing` point at nothing, `rejected` at a rejected
    row and `other_bot` at another bot's; `held` are answered by the target alone. `policy`: what the mapping says of
    those that lead nowhere, "reject", "null" or "stub".
    """

    kind: str
    source: str
    bot_id: str
    origin: str
    pointed: str
    policy: str
    rows: int
    targets: int
    missing: int = 0
    rejected: int = 0
    other_bot: int = 0
    held: int = 0

    @property
    def lost(self) -> int:
        """References that lead to no row of the bot; a row with a list may count under several reasons."""
        return self.missing + self.rejected + self.other_bot


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know that does not refuse the load. `code` is stable, `message` one sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedColumn:
    """What a column of a store holds. Texts are as stored; `covered`: the mapping declares or ignores it.

    `stored_type` is what the store declares, `declared` what the mapping does (None: nothing). `nulls` is None where
    the table was not read. `classes` counts the storage classes; `distinct` the values (None: null), if they are few.
    `minimum` and `maximum` are in the `order` of numbers, times or texts; `strays` cells are left out of them, because
    they are no number (no time) where most are.
    """

    name: str
    stored_type: str
    declared: str | None = None
    covered: bool
    nulls: int | None = None
    classes: tuple[tuple[str, int], ...] = ()
    distinct: tuple[tuple[str | None, int], ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    order: str = "text"  # "number" | "time" | "text"
    strays: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedTable:
    """A table, view or file of a store, and whether the mapping says what becomes of it.

    `rows` is None where nobody counted them: of a view, and of a file that is no table. A "member" is one of JSON files
    that no table reads; of a folder, `rows` are its files.
    """

    name: str
    kind: str  # "table" | "view" | "file" | "member" | "folder"
    rows: int | None
    covered: str  # "mapped" | "ignored" | "derived" (a view without a word in the mapping) | "unknown"
    columns: tuple[InspectedColumn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInspection:
    """What a source holds, and as problems what its mapping does not cover. `origin` says where, without secrets."""

    source: str
    kind: SourceKind
    origin: str
    tables: tuple[InspectedTable, ...]
    uncovered: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCell:
    """A cell of a source row: the text as the store held it (None: null), and its storage class where it has one."""

    column: str
    value: str | None
    storage_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A source row that a target row comes from. `outcome`: mapped (it made the row) or merged.

    `cells` are recovered from the target alone; None where the project has no such source or table any more.
    """

    source: str
    table: str
    key: str
    outcome: str
    run_id: str
    first_run_id: str
    started_at: str | None
    cells: tuple[StoredCell, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedCell:
    """A cell of the target row: its value as text, and the rules that can fill it, each as written, with its place."""

    column: str
    value: str | None
    rules: tuple[tuple[str, Location], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """Everything that is known of where a target row comes from."""

    table: str
    key: str
    cells: tuple[ExplainedCell, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRow:
    """A row that the load changes or inserts, or that it must not touch. `key` is the one that `explain` takes.

    `key` is empty where an inserted row gets it with the load. `cells` are (column, old, new) of what differs, as
    PostgreSQL writes it, None for null; of a conflict what the target has and what the source says; of an insert the
    columns that are not null. `reason` is that of a conflict. `origins` are the source rows that it comes from:
    (source, table, key).
    """

    table: str
    bot_id: str | None
    key: str
    cells: tuple[tuple[str, str | None, str | None], ...]
    origins: tuple[tuple[str, str, str], ...] = ()
    action: str = "update"  # "update" | "insert" | "conflict"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsWanted:
    """Which single rows a report is to have: at most `most`, of a unified table and of a bot, or of all of them."""

    most: int
    table: str | None = None
    bot: str | None = None
    inserts: bool = True

    def takes(self, table: str, bot: str | None) -> bool:
        """Whether rows of the table and bot are wanted."""
        return self.table in {None, table, table.partition(".")[2]} and (self.bot is None or self.bot == bot)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSince:
    """How many rows of a source table the last run read, and this one."""

    source: str
    table: str
    before: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectsSince:
    """Rejects with one code that the last run had not, and those that it had and this one has not."""

    code: str
    new: int
    gone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceLastRun:
    """What is new against the last loaded run of the same sources; of `tables` and `rejects` only what differs."""

    run_id: str
    finished_at: str  # ISO 8601, UTC
    new_sources: tuple[str, ...] = ()
    gone_sources: tuple[str, ...] = ()
    tables: tuple[TableSince, ...] = ()
    rejects: tuple[RejectsSince, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BotChart:
    """The money of a bot over time, in the target as it is (`before`) and as the load leaves it (`after`).

    Points are (moment, decimal as text) in the order of time, at most 500 a line; moments are ISO 8601 in UTC. Equity
    is the last one recorded in each interval, pnl the sum of all trades closed until then. USD.
    """

    bot_id: str
    equity_before: tuple[tuple[str, str], ...] = ()
    equity_after: tuple[tuple[str, str], ...] = ()
    pnl_before: tuple[tuple[str, str], ...] = ()
    pnl_after: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMoney:
    """What a bot made in a symbol, before the load and after it: trades, and their pnl in USD (None: not recorded)."""

    bot_id: str
    symbol: str
    trades_before: int
    trades_after: int
    pnl_before: str | None
    pnl_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertChart:
    """How many rows the load inserts into a table: (day, rows) by the day of their own time in UTC, at most 500 pairs.

    A pair stands for all days until the next. `undated` rows have no time of their own.
    """

    table: str
    days: tuple[tuple[str, int], ...]
    undated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartData:
    """What the pictures of a report are drawn from; see `consolidate.pictures`."""

    bots: tuple[BotChart, ...] = ()
    symbols: tuple[SymbolMoney, ...] = ()
    inserts: tuple[InsertChart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Everything a command has to tell, for people and machines alike; see `consolidate.report`."""

    command: str
    run_id: str
    status: str  # "planned" | "loaded" | "refused" | "failed"
    exit_code: int
    run_dir: Path
    target: str  # where the rows went, without secrets
    sources: tuple[SourceCounts, ...] = ()
    targets: tuple[TargetCounts, ...] = ()
    rejects: tuple[Reject, ...] = ()  # at most 1,000
    reject_groups: tuple[RejectGroup, ...] = ()  # all of them
    rejects_file: Path | None = None  # JSON lines, all of them
    max_rejects: int = 0
    accepted_codes: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    tables_without_rows: tuple[str, ...] = ()  # that no expectation about rows was asked of
    suites_not_asked: str | None = None  # why not, where they were due
    data_docs: Path | None = None  # where Great Expectations shows the checks
    controls: tuple[Control, ...] = ()
    roundings: tuple[Rounding, ...] = ()
    references: tuple[ReferenceCounts, ...] = ()
    money: tuple[BotMoney, ...] = ()  # after the load
    money_before: tuple[BotMoney, ...] = ()
    since: SinceLastRun | None = None  # None: no loaded run read these sources, or nothing was compared
    notices: tuple[Notice, ...] = ()
    problems: tuple[str, ...] = ()  # why a run was refused or failed, as printed
    seconds: tuple[tuple[str, float], ...] = ()
    changed: tuple[ChangedRow, ...] = ()  # single rows that somebody asked for, not all of them
    charts: ChartData | None = None  # where somebody asked for pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBackTable:
    """What a rollback did to one unified table: rows taken out, rows given their former values.

    `kept` are candles that the run inserted and that stay, because other runs brought them too.
    """

    table: str
    removed: int
    restored: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackReport:
    """A rollback that was done. `run_id` is the run that it undid (of `bot` only, if there is one).

    `rollback_id` names the rollback itself in the ledger. `status` is what the ledger now says of the run:
    "rolled_back", or "partly_rolled_back" while other rows of it stay.
    """

    run_id: str
    rollback_id: str
    bot: str | None
    status: str
    target: str
    tables: tuple[RolledBackTable, ...]
    notices: tuple[Notice, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRun:
    """One line of the ledger. Times are ISO 8601 in UTC, `finished_at` None while it runs or where it died.

    `status` is the ledger's, but "interrupted" where it says "running" and no session does. Rows of a rollback:
    `updated` have their former values again, `deleted` are out again, `undone_run_id` is the run that it undid.
    """

    run_id: str
    command: str
    status: str
    started_at: str
    finished_at: str | None
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    rejected: int
    bots: tuple[str, ...] = ()
    undone_run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReject:
    """A reject as the ledger keeps it: texts as stored (U+2400 for NUL), `row` the whole source row as JSON text."""

    source: str
    table: str
    key: str | None
    code: str
    column: str | None
    value: str | None
    location: str | None
    row: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRejectGroup:
    """How many rejects of a run one table has with one code."""

    source: str
    table: str
    code: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRejects:
    """The rejects of a loaded run: all of them by code, the first of them, and the file they were exported to."""

    run_id: str
    groups: tuple[KeptRejectGroup, ...]
    rejects: tuple[KeptReject, ...]
    exported: Path | None = None
