"""Intermediate results as columns of their own.

Macros write their arguments out as often as they use them, so nested calls would grow without bound; and a result that
several cells need is computed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause, quoted_name

from consolidate.mapping.value import Sql, named

if TYPE_CHECKING:
    from collections.abc import Iterable


class Layers:
    """Expressions that stand as columns `#e0`, `#e1`, … below the select that uses them, each depth one subquery."""

    def __init__(self) -> None:
        """Begin without any."""
        self._found: dict[str, tuple[int, Sql]] = {}
        self._names: dict[tuple[str, tuple[object, ...]], str] = {}

    def hoist(self, sql: Sql) -> Sql:
        """A column that holds what the expression gives; the same expression gives the same column."""
        if isinstance(sql, ColumnClause):
            return sql
        compiled = sa.select(sql).compile()
        key = (str(compiled), tuple(compiled.params.values()))
        name = self._names.get(key)
        if name is None:
            name = f"#e{len(self._found)}"
            self._names[key] = name
            depth = 1 + max((self._found[other][0] for other in self._used(sql)), default=0)
            self._found[name] = (depth, sql)
        return named(name)

    def over(self, source: sa.FromClause, needed: Iterable[Sql]) -> sa.FromClause:
        """`source` with the columns that the `needed` expressions use, added depth by depth; else `source` itself."""
        wanted: set[str] = set()
        open_names = [name for sql in needed for name in self._used(sql)]
        while open_names:
            name = open_names.pop()
            if name not in wanted:
                wanted.add(name)
                open_names += self._used(self._found[name][1])
        for depth in sorted({self._found[name][0] for name in wanted}):
            here = sorted((name for name in wanted if self._found[name][0] == depth), key=lambda name: int(name[2:]))
            columns = [self._found[name][1].label(quoted_name(name, quote=True)) for name in here]
            every: Any = sa.literal_column("*")
            source = sa.select(every, *columns).select_from(source).subquery(f"layer{depth}")
        return source

    def _used(self, sql: Sql) -> list[str]:
        return [
            str(element.name)
            for element in visitors.iterate(sql)
            if isinstance(element, ColumnClause) and not element.is_literal and str(element.name) in self._found
        ]
