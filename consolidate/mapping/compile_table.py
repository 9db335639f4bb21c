"""Compile one table's mapping. Needs no connection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from consolidate.mapping.compile import Compiler
from consolidate.mapping.compile_blocks import compile_block
from consolidate.mapping.compile_bots import bot_id, bots_before, owner_of
from consolidate.mapping.compile_finds import find_arguments
from consolidate.mapping.expr import Expr, names
from consolidate.mapping.language import ARCHIVE, FindByKey, FindByTime, FindListed
from consolidate.mapping.layers import Layers
from consolidate.mapping.scopes import CandidateScope, GroupScope, RowScope
from consolidate.mapping.source_columns import Store, typed
from consolidate.mapping.table import CompiledTable, CompiledWarn
from consolidate.mapping.value import TRUE, Kind, Sql, both, holds, named
from consolidate.mapping.yaml import Problems, nearest
from consolidate.model import SourceKind
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from consolidate.mapping.language import Block, SystemMapping, TableMapping, Warn
    from consolidate.mapping.made_bots import MadeBots
    from consolidate.mapping.table import CompiledBlock


def compile_table(
    mapping: TableMapping,
    system: SystemMapping,
    *,
    zone: str | None,
    before: tuple[str, ...],
    problems: Problems,
    made: MadeBots,
) -> CompiledTable | None:
    """Compile one table; `before` are the tables transformed earlier, `made` is what was said of bots of rows.

    Mistakes are noted in `problems`; with any noted, the result is good for nothing but being thrown away. None where
    the expressions are too deep to be compiled.
    """
    try:
        return _TableCompiler(mapping, system, zone, before, problems, made).run()
    except RecursionError:
        problems.add(
            "bad-expression",
            f"the expressions of {mapping.table} are nested too deeply",
            mapping.location,
            "use fewer `let`",
        )
        return None


class _TableCompiler:
    """The work of `compile_table`."""

    def __init__(
        self,
        mapping: TableMapping,
        system: SystemMapping,
        zone: str | None,
        before: tuple[str, ...],
        problems: Problems,
        made: MadeBots,
    ) -> None:
        self.made = made
        self.mapping = mapping
        self.system = system
        self.problems = problems
        self.zone = zone
        self.store = Store(kind=system.kind, classed=_classed(system, mapping), zone=zone)
        self.scope = RowScope(mapping, system, before)
        self.rows = self._compiler(self.scope)
        self.group_scope = GroupScope(self.scope, self.rows)
        self.groups = self._compiler(self.group_scope)

    def _compiler(self, scope: RowScope | GroupScope | CandidateScope) -> Compiler:
        zone = self.zone or "UTC"
        return Compiler(
            scope=scope,
            values=self.mapping.values,
            problems=self.problems,
            zone=zone,
            layers=Layers(),
            start=self.mapping.location,
        )

    def run(self) -> CompiledTable:
        mapping, scope, rows, groups = self.mapping, self.scope, self.rows, self.groups
        self._declarations()
        bot = bot_id(scope, rows, self.made)
        owner = owner_of(scope, self.problems)
        pair, keep = self._pair(), self._keep()
        # What is left out of a log takes no part in the pairing, so its rule cannot ask for the result.
        filtered = None if mapping.filter is None or pair is None else rows.condition(mapping.filter.when)
        arguments = find_arguments(scope, rows)
        scope.visible_finds = tuple(scope.finds)
        scope.closing_visible = mapping.pair is not None
        scope.newest_visible = True
        if mapping.filter is not None and filtered is None:
            filtered = rows.condition(mapping.filter.when)
        rejects = tuple(rows.condition(rule.when) for rule in mapping.rejects)
        warns = tuple(self._warn(rule) for rule in mapping.warns)
        blocks = self._blocks()
        for block in mapping.blocks:
            if block.grouped and mapping.pair is None:
                self.problems.add("bad-block", "`per: group` needs `pair`", block.location, "say what is paired")
        self._unused()
        column_layers = Layers()
        columns = [(c, *typed(c, self.store, column_layers)) for c in mapping.columns if c.name in scope.used]
        return CompiledTable(
            mapping=mapping,
            store=self.store,
            layers=rows.layers,
            group_layers=groups.layers,
            column_layers=column_layers,
            columns=tuple(columns),
            row_blocks=tuple(done for block, done in blocks if done is not None and not block.grouped),
            group_blocks=tuple(done for block, done in blocks if done is not None and block.grouped),
            aggregates=tuple(self.group_scope.aggregates),
            checks=tuple(rows.checks),
            group_checks=tuple(groups.checks),
            find_arguments=arguments,
            found_columns=tuple(sorted(scope.found)),
            newest_columns=tuple(sorted(scope.newest)),
            closing_columns=tuple(sorted(scope.closing)),
            raw_columns=tuple(sorted(rows.raw_columns)),
            pair=pair,
            keep=keep,
            filter=filtered,
            rejects=rejects,
            warns=warns,
            owner=owner,
            bots_table=bots_before(scope, self.problems),
            bot_id=bot,
        )

    def _blocks(self) -> list[tuple[Block, CompiledBlock | None]]:
        """The blocks; what is archived makes nothing else, and only opening events make something of their own."""
        mapping, rows = self.mapping, self.rows
        guard, archived = TRUE, None
        if mapping.pair is not None:
            guard = holds(named("#role") == sa.literal_column("'open'"))
        if mapping.archive is not None and mapping.archive.when is not None:
            archived = rows.condition(mapping.archive.when)
            guard = sa.not_(archived)
        found: list[tuple[Block, CompiledBlock | None]] = []
        with rows.guard(guard):
            for i, block in enumerate(mapping.blocks):
                compiled = compile_block(i, block, self.scope, self.groups if block.grouped else rows, self.made)
                if compiled is not None and archived is not None and block.target != ARCHIVE:
                    compiled = replace(compiled, when=both(sa.not_(archived), compiled.when))
                found.append((block, compiled))
        return found

    def _pair(self) -> tuple[tuple[Sql, ...], Sql, Sql] | None:
        pair = self.mapping.pair
        if pair is None:
            return None
        at, event = self.rows.compile(pair.at), self.rows.compile(pair.event)
        self.rows.expect(at, (Kind.TIME,), pair.at)
        self.rows.expect(event, (Kind.TEXT,), pair.event)
        return tuple(self.rows.compile(one).sql for one in pair.by), at.sql, event.sql

    def _keep(self) -> tuple[tuple[Sql, ...], Sql] | None:
        keep = self.mapping.keep
        if keep is None:
            return None
        return tuple(self.rows.compile(one).sql for one in keep.one_per), self.rows.compile(keep.last).sql

    def _warn(self, rule: Warn) -> CompiledWarn:
        if rule.target is None:
            rows = self.rows.condition(rule.when)
            return CompiledWarn(rule=rule, rows=rows, target=None, when=TRUE, layers=Layers(), newest_columns=())
        rows = TRUE if rule.without is None else self.rows.condition(rule.without)
        contract = expected().table(rule.target)
        if contract is None:
            hint = nearest(rule.target, (table.name for table in expected().tables))
            self.problems.add("unknown-target", f"there is no target table {rule.target!r}", rule.location, hint)
            return CompiledWarn(rule=rule, rows=rows, target=None, when=TRUE, layers=Layers(), newest_columns=())
        scope = CandidateScope(contract, self.system)
        compiler = self._compiler(scope)
        when = compiler.condition(rule.when)
        newest = tuple(sorted(scope.newest))
        return CompiledWarn(
            rule=rule, rows=rows, target=contract, when=when, layers=compiler.layers, newest_columns=newest
        )

    def _declarations(self) -> None:
        mapping, problems = self.mapping, self.problems
        known = [column.name for column in mapping.columns]
        for reasoned in mapping.ignored:
            if reasoned.name in known:
                problems.add(
                    "ignored-column", f"{reasoned.name!r} is declared and ignored", reasoned.location, "do one of both"
                )
        wanted = [("key", one) for one in mapping.key] + [("carry", one) for one in mapping.carried]
        wanted += [("bot", one) for one in (() if mapping.owner is None else mapping.owner.by)]
        for rule in mapping.rejects:
            if rule.column is not None and rule.column not in known:
                hint = nearest(rule.column, known)
                problems.add("unknown-column", f"a rule of `reject` blames {rule.column!r}", rule.location, hint)
        wanted += [("references", one.column) for one in mapping.references]
        self._store_references()
        for what, one in wanted:
            if one not in known:
                hint = nearest(one, known) or "declare it under `columns`"
                problems.add("unknown-column", f"`{what}` names {one!r}, which is no column", mapping.location, hint)
        self.scope.used.update(one for _, one in wanted if one in known and one not in mapping.carried)
        for name in self.scope.lets:
            if name in known or name == "bot_id":
                problems.add("name-clash", f"`let` {name!r} is also a column", mapping.location, "rename it")

    def _store_references(self) -> None:
        for one in self.mapping.references:
            other = next((table for table in self.system.tables if table.table == one.to_table), None)
            if other is None or one.to_table not in self.scope.before:
                message = f"{one.to_table!r} is not transformed before {self.mapping.table!r}"
                hint = "change the order of `tables` in system.yaml" if other else None
                known = nearest(one.to_table, (table.table for table in self.system.tables))
                self.problems.add("bad-reference", message, one.location, hint or known)
            elif other.column(one.to_column) is None:
                hint = nearest(one.to_column, (column.name for column in other.columns))
                message = f"{one.to_table} has no column {one.to_column!r}"
                self.problems.add("unknown-column", message, one.location, hint)

    def _unused(self) -> None:
        mapping = self.mapping
        self._unused_lets()
        if mapping.archive is not None and mapping.archive.when is None:
            return
        for column in mapping.columns:
            if column.name not in {*self.scope.used, *mapping.carried}:
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
                self.rows.compile(expr)
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
        found += [mapping.archive.when] if mapping.archive else []
        found += [rule.when if rule.target is None else rule.without for rule in mapping.warns]
        return [expr for expr in found if expr is not None]


def _classed(system: SystemMapping, mapping: TableMapping) -> bool:
    match system.kind:
        case SourceKind.POSTGRES:
            return False
        case SourceKind.SQLITE:
            return True
        case SourceKind.SNAPSHOT:
            return any(one.name == mapping.table and one.format == "json" for one in system.snapshots)
