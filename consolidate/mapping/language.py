"""A mapping as frozen values: what `load` reads from the files and `compile` turns into SQL."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from consolidate.mapping.made_bots import BOTS

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.expr import Expr
    from consolidate.mapping.references import Reference
    from consolidate.model import RejectCode, SnapshotTable, SourceKind


ARCHIVE: Final = "archive.rows"
"""The table that `archive` copies rows to."""


class ColumnType(StrEnum):
    """What a source column holds; `mappings/README.md` says what each accepts."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    UTC_TIME = "utc_time"
    LOCAL_TIME = "local_time"
    EPOCH_S = "epoch_s"
    EPOCH_MS = "epoch_ms"
    DATE = "date"
    LOCAL_DATE = "local_date"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A declared source column."""

    name: str
    type: ColumnType
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One column of a target table and the expression that fills it."""

    column: str
    expr: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """How a row goes into the candidate that find `into` found.

    `agree`: seconds by column; `replace`: the values that give way, by column; `latest`: times of which the later
    stays; `keep`: columns of which what is there stays.
    """

    into: str
    only: bool
    agree: tuple[tuple[str, int], ...]
    replace: tuple[tuple[str, tuple[str, ...]], ...]
    latest: tuple[str, ...]
    keep: tuple[str, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Rows that any source may bring: `by` identifies one, `same` is compared."""

    by: tuple[str, ...]
    same: tuple[str, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The rule for one target row. `grouped`: one for each group of a `pair`, else one for each source row."""

    target: str
    cells: tuple[Cell, ...]
    when: Expr | None
    grouped: bool
    mark: Expr | None
    merge: Merge | None
    shared: Shared | None
    location: Location


class Missing(StrEnum):
    """What becomes of a reference that leads nowhere; mappings/README.md § References."""

    REJECT = "reject"
    NULL = "null"
    STUB = "stub"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePolicy:
    """What becomes of a reference of the unified schema that leads nowhere. `stub`: the cells of a row made for it."""

    reference: Reference
    missing: Missing
    stub: tuple[Cell, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReference:
    """A column of a source table that holds what `to_column` of a row of `to_table` of the store holds.

    `missing`: reject, or null (the mapping reads null where it leads nowhere).
    """

    column: str
    to_table: str
    to_column: str
    missing: Missing
    location: Location

    @property
    def found(self) -> str:
        """The name of what it finds; no find is called so."""
        return f"&{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindByKey:
    """The candidate in `table` that the row of `source_table` with this key made. `missing`: reject or null."""

    name: str
    table: str
    source_table: str
    key: tuple[Expr, ...]
    optional: bool
    missing: Missing
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class FindByTime:
    """The candidate that agrees in `by` and `mark`, and in time as `order` says.

    `order`: "last" (strictly before `time`), "first" (at or after), "nearest" (either side), or None (no time).
    `within` seconds at most, where given.
    """

    name: str
    table: str
    by: tuple[tuple[str, Expr], ...]
    mark: Expr | None
    order: str | None
    column: str | None
    time: Expr | None
    within: int | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class FindListed:
    """All candidates in `table` whose text id is in a list column of what find `found` found."""

    name: str
    table: str
    found: str
    column: str
    location: Location


Find = FindByKey | FindByTime | FindListed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Opening and closing events of the same `by`, in order of `at`."""

    by: tuple[Expr, ...]
    at: Expr
    event: Expr
    open: str
    close: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Of rows that agree in `one_per`, the one with the largest `last`; the others are merged into it."""

    one_per: tuple[Expr, ...]
    last: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A written rule that leaves rows out: `code` None filters, else it rejects. `reason` is what a person reads."""

    when: Expr
    code: RejectCode | None
    column: str | None
    reason: str | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Rows that are copied whole instead of becoming anything else: those for which `when` holds (None: all)."""

    when: Expr | None
    reason: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Warn:
    """A rule for what a person should look at, although it loads.

    Without `target`: the rows for which `when` holds. With it: the candidates of that table for which `when` holds and
    into which no row for which `without` holds (None: no row at all) went.
    """

    when: Expr
    target: str | None
    without: Expr | None
    message: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoned:
    """A table or column that is left out, and why."""

    name: str
    reason: str
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMap:
    """Finite old → new. Keys are folded (upper case, no blanks around); a value None is null."""

    name: str
    entries: tuple[tuple[str, str | None], ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose the rows are: the columns `by` hold a key of table `of`, and its row's bot is theirs.

    `of` None: the key of the table that makes the bots, or where no table does, a route of the project file.
    `default`: rows with a null there belong to the bot of the rows that do not say whose they are.
    """

    by: tuple[str, ...]
    of: str | None
    default: bool
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """What the rows of one source table become. `owner` None: the rows do not say whose they are."""

    table: str
    key: tuple[str, ...]
    owner: Owner | None
    columns: tuple[Column, ...]
    ignored: tuple[Reasoned, ...]
    carried: tuple[str, ...]
    values: tuple[ValueMap, ...]
    lets: tuple[tuple[str, Expr], ...]
    pair: Pair | None
    keep: Keep | None
    filter: Rule | None
    rejects: tuple[Rule, ...]
    archive: Archive | None
    warns: tuple[Warn, ...]
    finds: tuple[Find, ...]
    references: tuple[StoreReference, ...]
    blocks: tuple[Block, ...]
    location: Location

    def column(self, name: str) -> Column | None:
        """The declared column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def makes_bots(self) -> bool:
        """Whether its rows become the bots of the source."""
        return any(block.target == BOTS for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class BotAttribute:
    """What every bot of the system has in a column of trading.bots, unless the project file says otherwise."""

    name: str
    value: str | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemMapping:
    """A system: the kind of its stores, its tables in the order of their transformation, and its bots' attributes."""

    name: str
    kind: SourceKind
    schema: str | None
    needs_time_zone: bool
    bot: tuple[BotAttribute, ...]
    tables: tuple[TableMapping, ...]
    absentable: tuple[Reasoned, ...]
    deployment_modes: tuple[str, ...]
    ignored: tuple[Reasoned, ...]
    snapshots: tuple[SnapshotTable, ...]
    references: tuple[ReferencePolicy, ...]
    digest: str
    location: Location

    @property
    def optional(self) -> tuple[str, ...]:
        """The tables that a store may lack."""
        return tuple(one.name for one in self.absentable)

    @property
    def bots_table(self) -> TableMapping | None:
        """The table whose rows become the bots; None where the project file lists them."""
        return next((table for table in self.tables if table.makes_bots), None)

    def table(self, name: str) -> TableMapping | None:
        """The mapping of the table of that name, or None."""
        return next((table for table in self.tables if table.table == name), None)

    def owning_table(self, table: TableMapping) -> TableMapping | None:
        """The table whose rows' bots are those of `table`'s rows; None where the project file says whose they are."""
        if table.owner is None or table.owner.of is None:
            return None if table.makes_bots else self.bots_table
        return self.table(table.owner.of)
