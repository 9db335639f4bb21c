"""One table's mapping, compiled: the parts from which `transform` builds its statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consolidate.mapping.compile import Rounded
    from consolidate.mapping.language import Block, Cell, Column, TableMapping, Warn
    from consolidate.mapping.layers import Layers
    from consolidate.mapping.source_columns import Store
    from consolidate.mapping.target_types import TargetType
    from consolidate.mapping.value import Check, Sql, Value
    from consolidate.target.contract import TableContract


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCell:
    """A cell: its value in the kind of its expression; `transform` turns it into the target's type."""

    cell: Cell
    value: Value
    to: TargetType
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledBlock:
    """A block: when it applies, its cells, the text kept beside it. `index` counts the blocks of its table."""

    index: int
    block: Block
    target: TableContract
    when: Sql
    cells: tuple[CompiledCell, ...]
    mark: Sql | None
    rounded: tuple[tuple[str, Rounded], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """An aggregate of a group: `how` over `argument` of the group's opening events; its column is `g<index>`."""

    index: int
    how: str
    argument: Sql | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledWarn:
    """A `warn` rule. `rows`: the source rows that it is about.

    With `target`: about the candidates of it for which `when` holds and into which no such row went; `layers` and
    `newest_columns` belong to `when`.
    """

    rule: Warn
    rows: Sql
    target: TableContract | None
    when: Sql
    layers: Layers
    newest_columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledOwner:
    """Whose rows they are: `table` and its bot; `makes_bots`: its rows are the bots themselves."""

    table: str
    makes_bots: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTable:
    """Everything that `transform` needs to know of a table's mapping: SQL over the columns that it makes.

    `columns`: each used column with its typed value and what may be wrong with it. `find_arguments`: by find, in the
    order of its `key`, or of `by`, `mark` and time. `found_columns`: (find, column). `newest_columns`: (table, column).
    `pair`: by, at, event. `keep`: one_per, last. `owner` None: the project file says whose the rows are.
    `bots_table`: the table before this one whose rows are the bots, or None. `bot_id`: the id of the bot that a row
    becomes, over typed rows; None where rows become none.
    """

    mapping: TableMapping
    store: Store
    layers: Layers
    group_layers: Layers
    column_layers: Layers
    columns: tuple[tuple[Column, Sql, tuple[Check, ...]], ...]
    row_blocks: tuple[CompiledBlock, ...]
    group_blocks: tuple[CompiledBlock, ...]
    aggregates: tuple[Aggregate, ...]
    checks: tuple[Check, ...]
    group_checks: tuple[Check, ...]
    find_arguments: dict[str, tuple[Sql, ...]]
    found_columns: tuple[tuple[str, str], ...]
    closing_columns: tuple[str, ...]
    newest_columns: tuple[tuple[str, str], ...]
    raw_columns: tuple[str, ...]
    pair: tuple[tuple[Sql, ...], Sql, Sql] | None
    keep: tuple[tuple[Sql, ...], Sql] | None
    filter: Sql | None
    rejects: tuple[Sql, ...]
    warns: tuple[CompiledWarn, ...]
    owner: CompiledOwner | None
    bots_table: str | None
    bot_id: Sql | None
