"""One table's mapping, compiled: the parts from which `transform` builds its statements. Needs no connection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from consolidate.mapping.compile import Compiler, Rounded
from consolidate.mapping.expr import Call, Expr, Name, names
from consolidate.mapping.language import (
    Block,
    Cell,
    Find,
    FindByKey,
    FindByTime,
    FindListed,
    SystemMapping,
    TableMapping,
)
from consolidate.mapping.layers import Layers
from consolidate.mapping.source_columns import KINDS, Store, typed
from consolidate.mapping.target_types import TargetType, target_type
from consolidate.mapping.value import NULL, TRUE, Check, Kind, Sql, Value, both, call, holds, named, whole
from consolidate.mapping.yaml import Problems, nearest
from consolidate.model import SourceKind
from consolidate.target.contract import TableContract, expected

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.language import Column

AGGREGATES: Final = ("first", "last", "sum", "count", "collect")


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
class CompiledRule:
    """A `filter` or `reject` rule."""

    condition: Sql
    location: Location


@dataclass(slots=True, kw_only=True)
class CompiledTable:
    """Everything that `transform` needs to know of a table's mapping."""

    mapping: TableMapping
    store: Store
    layers: Layers
    group_layers: Layers
    column_layers: Layers
    columns: tuple[tuple[Column, Sql, tuple[Check, ...]], ...]
    used_columns: tuple[str, ...]
    row_blocks: tuple[CompiledBlock, ...]
    group_blocks: tuple[CompiledBlock, ...]
    aggregates: tuple[Aggregate, ...]
    checks: tuple[Check, ...]
    group_checks: tuple[Check, ...]
    find_arguments: dict[str, tuple[Sql, ...]]
    find_checks: tuple[Check, ...]
    found_columns: tuple[tuple[str, str], ...]
    closing_columns: tuple[str, ...]
    newest_columns: tuple[tuple[str, str], ...]
    raw_columns: tuple[str, ...]
    pair: tuple[tuple[Sql, ...], Sql, Sql] | None
    keep: tuple[tuple[Sql, ...], Sql] | None
    filter: Sql | None
    rejects: tuple[tuple[int, Sql], ...] = field(default=())


def compile_table(
    mapping: TableMapping, system: SystemMapping, *, zone: str | None, before: tuple[str, ...], problems: Problems
) -> CompiledTable:
    """Compile one table. `before` are the tables transformed earlier. Mistakes are noted in `problems`; with any noted,
    the result is good for nothing but being thrown away.
    """
    return _TableCompiler(mapping, system, zone, before, problems).run()


class _TableCompiler:
    """The work of `compile_table`; also the scope of expressions over source rows."""

    def __init__(
        self, mapping: TableMapping, system: SystemMapping, zone: str | None, before: tuple[str, ...], problems: Problems
    ) -> None:
        self.mapping = mapping
        self.system = system
        self.newest: set[tuple[str, str]] = set()
        self.before = before
        self.problems = problems
        self.lets = dict(mapping.lets)
        self.finds: dict[str, Find] = {find.name: find for find in mapping.finds}
        self.visible_finds: tuple[str, ...] = ()
        self.closing_visible = False
        self.store = Store(kind=system.kind, classed=_classed(system, mapping), zone=zone)
        self.layers = Layers()
        self.group_layers = Layers()
        self.column_layers = Layers()
        self.compiler = Compiler(
            scope=self, values=mapping.values, problems=problems, zone=zone or "UTC", layers=self.layers
        )
        self.used: set[str] = set()
        self.found: set[tuple[str, str]] = set()
        self.closing: set[str] = set()
        self.open_names: list[str] = []
        self.aggregates: list[Aggregate] = []

    def run(self) -> CompiledTable:
        mapping = self.mapping
        self._declarations()
        pair = None
        if mapping.pair is not None:
            at = self.compiler.compile(mapping.pair.at)
            self.compiler.expect(at, (Kind.TIME,), mapping.pair.at)
            event = self.compiler.compile(mapping.pair.event)
            self.compiler.expect(event, (Kind.TEXT,), mapping.pair.event)
            pair = (tuple(self.compiler.compile(one).sql for one in mapping.pair.by), at.sql, event.sql)
        keep = None
        if mapping.keep is not None:
            by = tuple(self.compiler.compile(one).sql for one in mapping.keep.one_per)
            keep = (by, self.compiler.compile(mapping.keep.last).sql)
        arguments, find_checks = self._finds()
        self.visible_finds = tuple(self.finds)
        self.closing_visible = mapping.pair is not None
        guard = TRUE if mapping.pair is None else holds(named("#role") == sa.literal_column("'open'"))
        filtered = None if mapping.filter is None else self.compiler.condition(mapping.filter.when)
        rejects = tuple((i, self.compiler.condition(rule.when)) for i, rule in enumerate(mapping.rejects))
        with self.compiler.guard(guard):
            rows = tuple(self._block(i, b) for i, b in enumerate(mapping.blocks) if not b.grouped)
            group_scope = _GroupScope(self)
            grouping = Compiler(
                scope=group_scope,
                values=mapping.values,
                problems=self.problems,
                zone=self.compiler.zone,
                layers=self.group_layers,
            )
            groups = tuple(self._block(i, b, grouping) for i, b in enumerate(mapping.blocks) if b.grouped)
        if groups and mapping.pair is None:
            self.problems.add("bad-block", "`per: group` needs `pair`", mapping.location)
        columns = tuple((column, *typed(column, self.store, self.column_layers)) for column in mapping.columns if column.name in self.used)
        self._unused()
        return CompiledTable(
            mapping=mapping,
            store=self.store,
            layers=self.layers,
            group_layers=self.group_layers,
            column_layers=self.column_layers,
            columns=columns,
            used_columns=tuple(sorted(self.used)),
            row_blocks=rows,
            group_blocks=groups,
            aggregates=tuple(self.aggregates),
            checks=tuple(self.compiler.checks),
            group_checks=tuple(grouping.checks),
            find_arguments=arguments,
            find_checks=find_checks,
            found_columns=tuple(sorted(self.found)),
            newest_columns=tuple(sorted(self.newest)),
            closing_columns=tuple(sorted(self.closing)),
            raw_columns=tuple(sorted(self.compiler.raw_columns)),
            pair=pair,
            keep=keep,
            filter=filtered,
            rejects=rejects,
        )

    # -- names -------------------------------------------------------------------------------------------------------

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        match name.parts:
            case ("bot_id",):
                return Value(sql=named("#bot"), kind=Kind.TEXT, column=self.mapping.bot_column)
            case (one,):
                return self._plain(one, name, compiler)
            case ("closing", column) if self.mapping.pair is not None:
                return self._closing(column, name, compiler)
            case (found, column):
                return self._found(found, column, name, compiler)
            case (schema, table, column):
                return self._other_cell(f"{schema}.{table}", column, name, compiler)
            case _:
                compiler.wrong(name.location, f"{'.'.join(name.parts)} names nothing")
                return None

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        if expr.function in AGGREGATES:
            compiler.wrong(expr.location, f"{expr.function} is only for a block `per: group`")
            return Value(sql=NULL, kind=Kind.NULL)
        match expr:
            case Call(function="newest", arguments=(Name(parts=(table, column)),), options=()) if table in self.before:
                return self._newest_of(table, column, expr, compiler)
            case _:
                return None

    def _newest_of(self, table: str, column: str, expr: Call, compiler: Compiler) -> Value:
        """The largest value of a column of a table transformed before."""
        other = next(one for one in self.system.tables if one.table == table)
        declared = other.column(column)
        if declared is None or KINDS[declared.type] not in {Kind.TIME, Kind.DATE, Kind.LOCAL_DATE, Kind.TEXT}:
            hint = nearest(column, (one.name for one in other.columns)) or "it must be declared as a time, a date or a text"
            compiler.wrong(expr.location, f"{column!r} of {table} has no largest value", hint)
            return Value(sql=NULL, kind=Kind.NULL)
        self.newest.add((table, column))
        return Value(sql=named(f"newest:{table}.{column}"), kind=KINDS[declared.type])

    def _plain(self, one: str, name: Name, compiler: Compiler) -> Value | None:
        if one in self.lets:
            if one in self.open_names:
                compiler.wrong(name.location, f"`{one}` is defined through itself")
                return None
            self.open_names.append(one)
            try:
                return compiler.compile(self.lets[one])
            finally:
                self.open_names.pop()
        column = self.mapping.column(one)
        if column is None:
            known = [*self.lets, *(c.name for c in self.mapping.columns), "bot_id"]
            hint = nearest(one, known) or f"`columns` of {self.mapping.table} does not declare it"
            compiler.wrong(name.location, f"{one!r} is no column and no `let`", hint)
            return None
        self.used.add(one)
        kind = KINDS[column.type]
        return Value(
            sql=named(f"v:{one}"),
            kind=kind,
            column=one,
            raw=named(f"s:{one}") if kind is Kind.NUMBER else None,
            floating=column.type.value == "float",
        )

    def _closing(self, column: str, name: Name, compiler: Compiler) -> Value | None:
        declared = self.mapping.column(column)
        if not self.closing_visible:
            compiler.wrong(name.location, "`closing` is not known here")
            return None
        if declared is None:
            hint = nearest(column, (c.name for c in self.mapping.columns))
            compiler.wrong(name.location, f"{column!r} is no column of {self.mapping.table}", hint)
            return None
        self.used.add(column)
        self.closing.add(column)
        return Value(sql=named(f"k:{column}"), kind=KINDS[declared.type], column=column, floating=declared.type.value == "float")

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
            hint = nearest(column, (c.name for c in contract.columns)) if contract else None
            compiler.wrong(name.location, f"{column!r} is no column of {find.table}", hint)
            return None
        self.found.add((found, column))
        return found_value(found, column, target.type)

    def _other_cell(self, table: str, column: str, name: Name, compiler: Compiler) -> Value | None:
        blocks = [b for b in self.mapping.blocks if b.target == table and not b.grouped]
        cells = [cell for b in blocks for cell in b.cells if cell.column == column]
        if not blocks or not cells:
            known = [f"{b.target}.{cell.column}" for b in self.mapping.blocks if not b.grouped for cell in b.cells]
            hint = nearest(f"{table}.{column}", known)
            compiler.wrong(name.location, f"this source row fills no {table}.{column}", hint)
            return None
        mark = f"{table}.{column}"
        if mark in self.open_names:
            compiler.wrong(name.location, f"`{mark}` is defined through itself")
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
            return Value(sql=sa.case(*whens), kind=values[0].kind, column=values[0].column, derived=values[0].derived)
        finally:
            self.open_names.pop()

    # -- parts -------------------------------------------------------------------------------------------------------

    def _declarations(self) -> None:
        mapping, problems = self.mapping, self.problems
        known = [column.name for column in mapping.columns]
        for reasoned in mapping.ignored:
            if reasoned.name in known:
                problems.add(
                    "ignored-column", f"{reasoned.name!r} is declared and ignored", reasoned.location, "do one of both"
                )
        wanted = [("key", one) for one in mapping.key] + [("carry", one) for one in mapping.carried]
        if mapping.bot_column is not None:
            wanted.append(("bot", mapping.bot_column))
        for what, one in wanted:
            if one not in known:
                hint = nearest(one, known) or "declare it under `columns`"
                problems.add("unknown-column", f"`{what}` names {one!r}, which is no column", mapping.location, hint)
        self.used.update(one for _, one in wanted if one in known and one not in mapping.carried)
        for name in self.lets:
            if name in known or name == "bot_id":
                problems.add("name-clash", f"`let` {name!r} is also a column", mapping.location, "rename it")

    def _unused(self) -> None:
        mapping = self.mapping
        self._unused_lets()
        for column in mapping.columns:
            if column.name not in self.used and column.name not in mapping.carried:
                self.problems.add(
                    "unmapped-column",
                    f"the column {column.name!r} of {mapping.table} goes nowhere",
                    column.location,
                    "use it in a cell, list it under `carry`, or move it to `ignore` with a reason",
                )

    def _unused_lets(self) -> None:
        """Compile each `let` that nothing uses, so that mistakes in it are found; then name it."""
        used = {part[0] for expr in self._all_expressions() for part in names(expr)}
        for name, expr in self.mapping.lets:
            if name not in used:
                self.compiler.compile(expr)
                self.problems.add("unused-let", f"`let` {name!r} is used nowhere", expr.location, "take it out")

    def _all_expressions(self) -> list[Expr]:
        mapping = self.mapping
        found: list[Expr | None] = [expr for _, expr in mapping.lets]
        for block in mapping.blocks:
            found += [block.when, block.mark, *(cell.expr for cell in block.cells)]
        for find in mapping.finds:
            match find:
                case FindByKey():
                    found += find.key
                case FindByTime():
                    found += [find.time, find.mark, *(expr for _, expr in find.by)]
                case FindListed():
                    pass
        if mapping.pair:
            found += [*mapping.pair.by, mapping.pair.at, mapping.pair.event]
        if mapping.keep:
            found += [*mapping.keep.one_per, mapping.keep.last]
        found += [rule.when for rule in mapping.rejects] + ([mapping.filter.when] if mapping.filter else [])
        return [expr for expr in found if expr is not None]

    def _finds(self) -> tuple[dict[str, tuple[Sql, ...]], tuple[Check, ...]]:
        """The arguments of each find in the order that `transform` knows, and the checks made on the way."""
        start = len(self.compiler.checks)
        arguments: dict[str, tuple[Sql, ...]] = {}
        for find in self.mapping.finds:
            contract = expected().table(find.table)
            if contract is None:
                hint = nearest(find.table, (table.name for table in expected().tables))
                self.problems.add("unknown-target", f"there is no target table {find.table!r}", find.location, hint)
                continue
            match find:
                case FindByKey():
                    if find.source_table not in self.before:
                        message = f"{find.source_table!r} is not transformed before {self.mapping.table!r}"
                        self.problems.add("bad-find", message, find.location, "change the order of `tables`")
                    arguments[find.name] = tuple(self._key_text(expr) for expr in find.key)
                case FindByTime():
                    arguments[find.name] = self._time_arguments(find, contract)
                case FindListed():
                    self._listed(find)
        return arguments, tuple(self.compiler.checks[start:])

    def _key_text(self, expr: Expr) -> Sql:
        value = self.compiler.compile(expr)
        self.compiler.expect(value, (Kind.TEXT, Kind.NUMBER), expr)
        raw = self.compiler.raw_of(value)
        if raw is not None:
            return raw
        return call("num_text", value.sql) if value.kind is Kind.NUMBER else value.sql

    def _time_arguments(self, find: FindByTime, contract: TableContract) -> tuple[Sql, ...]:
        found: list[Sql] = []
        for column, expr in find.by:
            target = contract.column(column)
            value = self.compiler.compile(expr)
            if target is None:
                hint = nearest(column, (c.name for c in contract.columns))
                self.problems.add("unknown-column", f"{find.table} has no column {column!r}", find.location, hint)
            elif target_type(target.type).kinds[0] is Kind.NUMBER:
                self.problems.add("bad-find", f"`by` cannot compare the number {column!r}", find.location)
            else:
                self.compiler.expect(value, target_type(target.type).kinds, expr)
            found.append(value.sql)
        if find.mark is not None:
            value = self.compiler.compile(find.mark)
            self.compiler.expect(value, (Kind.TEXT,), find.mark)
            found.append(value.sql)
        if find.order is not None and find.time is not None:
            target = contract.column(find.column or "")
            if target is None or target_type(target.type).kinds != (Kind.TIME,):
                message = f"{find.column!r} is no time of {find.table}"
                self.problems.add("unknown-column", message, find.location, "name a column that holds times")
            value = self.compiler.compile(find.time)
            self.compiler.expect(value, (Kind.TIME,), find.time)
            found.append(value.sql)
        return tuple(found)

    def _listed(self, find: FindListed) -> None:
        other = self.finds.get(find.found)
        contract = None if other is None else expected().table(other.table)
        column = None if contract is None else contract.column(find.column)
        if column is None or target_type(column.type).kinds != (Kind.LIST,):
            message = f"`{find.found}.{find.column}` is no list that a find found"
            self.problems.add("bad-find", message, find.location, "name a list column such as entry_trade_ids")
        else:
            self.found.add((find.found, find.column))

    def _block(self, index: int, block: Block, compiler: Compiler | None = None) -> CompiledBlock:
        compiler = compiler or self.compiler
        contract = expected().table(block.target)
        if contract is None:
            hint = nearest(block.target, (table.name for table in expected().tables))
            self.problems.add("unknown-target", f"there is no target table {block.target!r}", block.location, hint)
            contract = expected().tables[0]
        when = TRUE if block.when is None else compiler.condition(block.when)
        if self.mapping.pair is not None and not block.grouped:
            when = both(holds(named("#role") == sa.literal_column("'open'")), when)
        if block.merge is not None:
            self._merge(block, contract)
            if block.merge.only:
                when = both(when, named(f"n:{block.merge.into}").is_not(None))
        cells = []
        rounded: list[tuple[str, Rounded]] = []
        with compiler.guard(when):
            for cell in block.cells:
                start = len(compiler.rounded)
                compiled = self._cell(cell, contract, compiler, block)
                if compiled is not None:
                    cells.append(compiled)
                rounded += [(cell.column, one) for one in compiler.rounded[start:]]
            mark = None
            if block.mark is not None:
                value = compiler.compile(block.mark)
                compiler.expect(value, (Kind.TEXT,), block.mark)
                mark = value.sql
        self._completeness(block, contract)
        return CompiledBlock(
            index=index,
            block=block,
            target=contract,
            when=when,
            cells=tuple(cells),
            mark=mark,
            rounded=tuple(rounded),
        )

    def _cell(self, cell: Cell, contract: TableContract, compiler: Compiler, block: Block) -> CompiledCell | None:
        column = contract.column(cell.column)
        if column is None or cell.column in {"id", "bot_id"}:
            known = [one.name for one in contract.columns if one.name not in {"id", "bot_id"}]
            own = cell.column in {"id", "bot_id"} and column is not None
            hint = "it is filled in by itself" if own else nearest(cell.column, known)
            message = f"{contract.name} has no column {cell.column!r} to fill"
            self.problems.add("unknown-column", message, cell.location, hint)
            return None
        to = target_type(column.type)
        value = compiler.compile(cell.expr)
        if compiler.expect(value, to.kinds, cell.expr) and to.scale is not None:
            self._numbers(cell, value, to, compiler)
        if value.derived and to.precision is not None:
            rounded = compiler.layers.hoist(call("num_round", value.sql, whole(to.scale or 0)))
            value = replace(value, sql=rounded, decimals=to.scale)
        required = column.not_null and not (block.merge is not None and block.merge.only)
        return CompiledCell(cell=cell, value=value, to=to, required=required)

    def _numbers(self, cell: Cell, value: Value, to: TargetType, compiler: Compiler) -> None:
        scale = to.scale or 0
        if value.floating and value.decimals is None and not value.derived:
            hint = f"write `{cell.column}: round({'…' if value.column is None else value.column}, {scale})`"
            compiler.wrong(cell.expr.location, "a float is a binary approximation and must be rounded by the mapping", hint)
        if value.decimals is not None and value.decimals > scale and not value.derived:
            compiler.wrong(cell.expr.location, f"{cell.column} holds {scale} decimals, not {value.decimals}")

    def _completeness(self, block: Block, contract: TableContract) -> None:
        filled = {cell.column for cell in block.cells}
        if block.merge is not None and block.merge.only:
            return
        for column in contract.columns:
            if column.not_null and column.name not in filled and column.name not in {"id", "bot_id"}:
                self.problems.add(
                    "unmapped-column",
                    f"{contract.name}.{column.name} is required and has no rule",
                    block.location,
                    f"add `{column.name}: …`",
                )
        if block.shared is not None:
            for name in (*block.shared.by, *block.shared.same):
                if name not in filled:
                    self.problems.add("bad-shared", f"`shared` names {name!r}, which has no rule", block.shared.location)

    def _merge(self, block: Block, contract: TableContract) -> None:
        merge = block.merge
        if merge is None:
            return
        find = self.finds.get(merge.into)
        if find is None or find.table != block.target:
            message = f"`into` names {merge.into!r}, which finds no row of {block.target}"
            self.problems.add("bad-merge", message, merge.location, nearest(merge.into, self.finds))
        filled = [cell.column for cell in block.cells]
        agree = [name for name, _ in merge.agree]
        listed = [*agree, *(name for name, _ in merge.replace), *merge.latest, *merge.keep]
        for name in listed:
            if name not in filled:
                self.problems.add("bad-merge", f"`merge` names {name!r}, which has no rule", merge.location, nearest(name, filled))
        for name in (*agree, *merge.latest):
            column = contract.column(name)
            if column is not None and target_type(column.type).kinds != (Kind.TIME,):
                message = f"`agree` and `latest` are for times, and {name!r} is none"
                self.problems.add("bad-merge", message, merge.location)


class _GroupScope:
    """What names mean in a block `per: group`: aggregates over the opening events, and the closing event."""

    def __init__(self, rows: _TableCompiler) -> None:
        self.rows = rows

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        match name.parts:
            case ("bot_id",):
                return Value(sql=named("#bot"), kind=Kind.TEXT)
            case ("closing", _):
                return self.rows.resolve(name, compiler)
            case (one,) if one in self.rows.lets:
                self.rows.open_names.append(one)
                try:
                    return compiler.compile(self.rows.lets[one])
                finally:
                    self.rows.open_names.pop()
            case _:
                compiler.wrong(
                    name.location,
                    f"a group has many {'.'.join(name.parts)}",
                    f"say which: first({'.'.join(name.parts)}), sum(…), collect(…)",
                )
                return None

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        if expr.function not in AGGREGATES:
            return None
        arguments = expr.arguments
        if len(arguments) != (0 if expr.function == "count" else 1) or expr.options:
            compiler.wrong(expr.location, f"{expr.function} takes {'nothing' if expr.function == 'count' else 'one value'}")
            return Value(sql=NULL, kind=Kind.NULL)
        index = len(self.rows.aggregates)
        name = named(f"g{index}")
        if not arguments:
            self.rows.aggregates.append(Aggregate(index=index, how="count", argument=None))
            return Value(sql=name, kind=Kind.NUMBER, decimals=0)
        value = self.rows.compiler.compile(arguments[0])
        self.rows.aggregates.append(Aggregate(index=index, how=expr.function, argument=value.sql))
        match expr.function:
            case "sum":
                self.rows.compiler.expect(value, (Kind.NUMBER,), arguments[0])
                return Value(sql=name, kind=Kind.NUMBER, column=value.column, derived=True, decimals=value.decimals)
            case "collect":
                self.rows.compiler.expect(value, (Kind.TEXT,), arguments[0])
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


def found_value(found: str, column: str, written: str) -> Value:
    """A column of a found candidate in the kind of expressions."""
    to = target_type(written)
    kind = to.kinds[0]
    sql = named(f"f:{found}.{column}")
    if kind is Kind.NUMBER:
        sql = call("num", sa.cast(sql, sa.String()))
    return Value(sql=sql, kind=kind, decimals=to.scale)


def _classed(system: SystemMapping, mapping: TableMapping) -> bool:
    match system.kind:
        case SourceKind.POSTGRES:
            return False
        case SourceKind.SQLITE:
            return True
        case SourceKind.SNAPSHOT:
            return any(one.name == mapping.table and one.format == "json" for one in system.snapshots)



