"""What names mean where an expression stands: over source rows, over groups of events, over candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.mapping.compile import united
from consolidate.mapping.expr import Call, Literal, Name
from consolidate.mapping.language import ColumnType, FindListed
from consolidate.mapping.made_bots import BOTS
from consolidate.mapping.source_columns import KINDS
from consolidate.mapping.table import Aggregate
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import NULL, TRUE, Kind, Sql, Value, call, named
from consolidate.mapping.yaml import nearest
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.compile import Compiler
    from consolidate.mapping.language import Find, SystemMapping, TableMapping
    from consolidate.target.contract import TableContract

AGGREGATES: Final = ("first", "last", "sum", "count", "collect")


class RowScope:
    """What names mean over the rows of a source table. It notes which columns, finds and so on are used.

    `before` are the tables transformed earlier. What is visible changes while a table is compiled: `pair`, `keep` and
    `find` cannot use what only exists after them.
    """

    def __init__(self, mapping: TableMapping, system: SystemMapping, before: tuple[str, ...]) -> None:
        """Begin with nothing used."""
        self.mapping = mapping
        self.system = system
        self.before = before
        self.lets = dict(mapping.lets)
        self.finds: dict[str, Find] = {find.name: find for find in mapping.finds}
        self.visible_finds: tuple[str, ...] = ()
        self.closing_visible = False
        self.newest_visible = False
        self.bot_visible = True
        self.used: set[str] = set()
        self.found: set[tuple[str, str]] = set()
        self.closing: set[str] = set()
        self.newest: set[tuple[str, str]] = set()
        self.open_names: list[str] = []

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        """A column, a `let`, `bot_id`, a cell of another target row, or a column of the closing event or of a find."""
        match name.parts:
            case ("bot_id",):
                return self._bot(name, compiler)
            case (one,):
                return self._plain(one, name, compiler)
            case ("closing", column) if self.mapping.pair is not None:
                return self._closing(column, name, compiler)
            case (found, column):
                return self._found(found, column, name, compiler)
            case (schema, table, column):
                return self._other_cell(f"{schema}.{table}", column, name, compiler)
            case _:
                hint = "names are `column`, `found.column` and `schema.table.column`"
                compiler.wrong(name.location, f"{'.'.join(name.parts)} names nothing", hint)
                return None

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        """`newest(table.column)`; aggregates are for groups only."""
        if expr.function in AGGREGATES:
            compiler.wrong(expr.location, f"{expr.function} is only for a block `per: group`", "use the column itself")
            return Value(sql=NULL, kind=Kind.NULL)
        match expr:
            case Call(function="column", arguments=(Literal(value=str() as one),), options=()):
                return self._column(one, expr.location, compiler)
            case Call(function="column"):
                compiler.wrong(expr.location, "column takes the name of a column as it is written: column('bot_id')")
                return Value(sql=NULL, kind=Kind.NULL)
            case Call(function="newest", arguments=(Name(parts=(table, column)),), options=()) if table in self.before:
                if not self.newest_visible:
                    compiler.wrong(expr.location, "`pair`, `keep` and `find` see the rows of their own table only")
                self.newest.add((table, column))
                return newest_of(self.system, table, column, expr, compiler)
            case _:
                return None

    def _plain(self, one: str, name: Name, compiler: Compiler) -> Value | None:
        if one in self.lets:
            return self.let(one, name, compiler)
        return self._column(one, name.location, compiler)

    def _column(self, one: str, location: Location, compiler: Compiler) -> Value | None:
        column = self.mapping.column(one)
        if column is None:
            known = [*self.lets, *(c.name for c in self.mapping.columns), "bot_id"]
            hint = nearest(one, known) or f"`columns` of {self.mapping.table} does not declare it"
            compiler.wrong(location, f"{one!r} is no column and no `let`", hint)
            return None
        self.used.add(one)
        kind = KINDS[column.type]
        return Value(
            sql=named(f"v:{one}"),
            kind=kind,
            column=one,
            raw=named(f"s:{one}") if kind is Kind.NUMBER else None,
            floating=column.type is ColumnType.FLOAT,
        )

    def _bot(self, name: Name, compiler: Compiler) -> Value:
        if not self.bot_visible:
            hint = "the id of a bot is made of the columns of its row"
            compiler.wrong(name.location, "`bot_id` is defined through itself", hint)
        owner = self.mapping.owner
        return Value(sql=named("#bot"), kind=Kind.TEXT, column=None if owner is None else owner.by[0])

    def let(self, one: str, name: Name, compiler: Compiler) -> Value | None:
        """The value of a `let` where `compiler` is; None, with a problem, where it is defined through itself."""
        if one in self.open_names:
            compiler.wrong(name.location, f"`{one}` is defined through itself", "name a column or another `let`")
            return None
        self.open_names.append(one)
        try:
            return compiler.compile(self.lets[one])
        finally:
            self.open_names.pop()

    def _closing(self, column: str, name: Name, compiler: Compiler) -> Value | None:
        declared = self.mapping.column(column)
        if not self.closing_visible:
            compiler.wrong(name.location, "`closing` is not known here", "events are paired after `keep` and `find`")
            return None
        if declared is None:
            hint = nearest(column, (c.name for c in self.mapping.columns))
            compiler.wrong(name.location, f"{column!r} is no column of {self.mapping.table}", hint)
            return None
        self.used.add(column)
        self.closing.add(column)
        kind = KINDS[declared.type]
        return Value(sql=named(f"k:{column}"), kind=kind, column=column, floating=declared.type is ColumnType.FLOAT)

    def _found(self, found: str, column: str, name: Name, compiler: Compiler) -> Value | None:
        find = self.finds.get(found)
        if find is None or found not in self.visible_finds:
            hint = nearest(found, self.visible_finds) or "`find` makes such names; mappings/README.md"
            compiler.wrong(name.location, f"{found!r} is not found here", hint)
            return None
        if isinstance(find, FindListed):
            compiler.wrong(name.location, f"{found!r} finds several rows", "it is for `merge` only")
            return None
        contract = expected().table(find.table)
        target = None if contract is None else contract.column(column)
        if contract is None or target is None:
            near = nearest(column, (c.name for c in contract.columns)) if contract else None
            compiler.wrong(name.location, f"{column!r} is no column of {find.table}", near)
            return None
        self.found.add((found, column))
        return of_candidate(f"f:{found}.{column}", target.type)

    def _other_cell(self, table: str, column: str, name: Name, compiler: Compiler) -> Value | None:
        blocks = [b for b in self.mapping.blocks if b.target == table and not b.grouped]
        cells = [cell for b in blocks for cell in b.cells if cell.column == column]
        if not blocks or not cells:
            known = [f"{b.target}.{cell.column}" for b in self.mapping.blocks if not b.grouped for cell in b.cells]
            hint = nearest(f"{table}.{column}", known)
            compiler.wrong(name.location, f"this source row fills no {table}.{column}", hint)
            return None
        mark = f"{table}.{column}"
        if mark == f"{BOTS}.bot_id":
            return self._bot(name, compiler)
        if mark in self.open_names:
            compiler.wrong(name.location, f"`{mark}` is defined through itself", "name a column or another cell")
            return None
        self.open_names.append(mark)
        try:
            whens: list[tuple[Sql, Sql]] = []
            values = []
            for block in blocks:
                cell = next((c for c in block.cells if c.column == column), None)
                if cell is None:
                    continue
                when = TRUE if block.when is None else compiler.condition(block.when)
                with compiler.guard(when):
                    value = compiler.compile(cell.expr)
                whens.append((when, value.sql))
                values.append(value)
            return united(sa.case(*whens), compiler.common(values, name.location), values)
        finally:
            self.open_names.pop()


class GroupScope:
    """What names mean in a block `per: group`: aggregates over the opening events, and the closing event."""

    def __init__(self, rows: RowScope, over_rows: Compiler) -> None:
        """`over_rows` compiles what stands inside aggregates."""
        self.rows = rows
        self.over_rows = over_rows
        self.aggregates: list[Aggregate] = []

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        """`bot_id`, a `let`, or a column of the closing event; a group has many of everything else."""
        match name.parts:
            case ("bot_id",):
                return Value(sql=named("#bot"), kind=Kind.TEXT)
            case ("closing", _):
                return self.rows.resolve(name, compiler)
            case (one,) if one in self.rows.lets:
                return self.rows.let(one, name, compiler)
            case _:
                compiler.wrong(
                    name.location,
                    f"a group has many {'.'.join(name.parts)}",
                    f"say which: first({'.'.join(name.parts)}), sum(…), collect(…)",
                )
                return None

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        """An aggregate, whose argument is an expression over the opening events."""
        if expr.function not in AGGREGATES:
            return None
        arguments = expr.arguments
        if len(arguments) != (0 if expr.function == "count" else 1) or expr.options:
            takes = "nothing" if expr.function == "count" else "one value"
            compiler.wrong(expr.location, f"{expr.function} takes {takes}")
            return Value(sql=NULL, kind=Kind.NULL)
        index = len(self.aggregates)
        name = named(f"g{index}")
        if not arguments:
            self.aggregates.append(Aggregate(index=index, how="count", argument=None))
            return Value(sql=name, kind=Kind.NUMBER, decimals=0)
        value = self.over_rows.compile(arguments[0])
        self.aggregates.append(Aggregate(index=index, how=expr.function, argument=value.sql))
        match expr.function:
            case "sum":
                self.over_rows.expect(value, (Kind.NUMBER,), arguments[0])
                return Value(sql=name, kind=Kind.NUMBER, column=value.column, derived=True, decimals=value.decimals)
            case "collect":
                self.over_rows.expect(value, (Kind.TEXT,), arguments[0])
                return Value(sql=name, kind=Kind.LIST, column=value.column)
            case _:
                return Value(
                    sql=name,
                    kind=value.kind,
                    column=value.column,
                    derived=value.derived,
                    decimals=value.decimals,
                    floating=value.floating,
                )


class CandidateScope:
    """What names mean over the candidates of a target table: its columns."""

    def __init__(self, contract: TableContract, system: SystemMapping) -> None:
        """Begin with nothing used."""
        self.contract = contract
        self.system = system
        self.newest: set[tuple[str, str]] = set()

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        """A column of the target table."""
        column = self.contract.column(name.parts[0]) if len(name.parts) == 1 else None
        if column is None or column.name == "id":
            hint = nearest(name.parts[-1], (one.name for one in self.contract.columns))
            compiler.wrong(name.location, f"{'.'.join(name.parts)!r} is no column of {self.contract.name}", hint)
            return None
        return of_candidate(column.name, column.type)

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        """`newest(table.column)` of any table of the system."""
        match expr:
            case Call(function="newest", arguments=(Name(parts=(table, column)),), options=()) if any(
                one.table == table for one in self.system.tables
            ):
                self.newest.add((table, column))
                return newest_of(self.system, table, column, expr, compiler)
            case Call(
                function="newest" | "as_of" | "spacing" | "first" | "last" | "sum" | "count" | "collect" | "new_id"
            ):
                compiler.wrong(expr.location, f"{expr.function} means nothing here")
                return Value(sql=NULL, kind=Kind.NULL)
            case _:
                return None


def newest_of(system: SystemMapping, table: str, column: str, expr: Call, compiler: Compiler) -> Value:
    """The largest value of a column of another table, as the column `newest:<table>.<column>`."""
    other = next(one for one in system.tables if one.table == table)
    declared = other.column(column)
    if declared is None or KINDS[declared.type] not in {Kind.TIME, Kind.DATE, Kind.LOCAL_DATE, Kind.TEXT}:
        hint = nearest(column, (one.name for one in other.columns)) or "it must be declared as a time, a date or a text"
        compiler.wrong(expr.location, f"{column!r} of {table} has no largest value", hint)
        return Value(sql=NULL, kind=Kind.NULL)
    return Value(sql=named(f"newest:{table}.{column}"), kind=KINDS[declared.type])


def of_candidate(name: str, written: str) -> Value:
    """The column `name` that holds a cell of a candidate, of the type `written`, in the kind of expressions."""
    to = target_type(written)
    kind = to.kinds[0]
    sql = named(name)
    if kind is Kind.NUMBER:
        sql = call("num", sa.cast(sql, sa.String()))
    return Value(sql=sql, kind=kind, decimals=to.scale)
