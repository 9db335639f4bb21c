"""Names of the tables that the transformation of one source table makes, and how statements become text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.elements import quoted_name

from consolidate.staging import quoted

if TYPE_CHECKING:
    from consolidate.mapping.value import Sql

_DIALECT: Final = DefaultDialect(paramstyle="numeric_dollar")
_DIALECT.supports_native_boolean = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The tables of one source table, as quoted SQL text."""

    source: str
    table: str

    @property
    def staged(self) -> str:
        """The rows as stored."""
        return f"stg.{quoted(f'{self.source}.{self.table}')}"

    @property
    def typed(self) -> str:
        """One row each: `#row`, `#key`, `#bot`, `#hash`, `#short`, `#residual`, `#fail`, `v:…`, `s:…`."""
        return self._work("typed")

    @property
    def fate(self) -> str:
        """The rows that make nothing of their own: `#row`, outcome, code, column_name, place, shown, into_row."""
        return self._work("fate")

    @property
    def pairs(self) -> str:
        """Events: `#row`, `#role` (open, close), `#group` (its first opening row), `#closing`, `#ord`."""
        return self._work("pairs")

    @property
    def wide(self) -> str:
        """One row each of those that live: conditions `w<block>`, target cells `t<block>.<column>`; see `shaped`."""
        return self._work("wide")

    @property
    def groups(self) -> str:
        """As `wide`, one row for each group of events."""
        return self._work("groups")

    @property
    def made(self) -> str:
        """Which candidates the rows make or go into: `#row`, block, target, n, outcome."""
        return self._work("made")

    @property
    def links(self) -> str:
        """Which candidates the rows went into: `#row`, `#first` (of its key), target_table, n, place (in lineage)."""
        return self._work("links")

    @property
    def residual(self) -> str:
        """What of the rows no target cell gives back: `#first`, residual."""
        return self._work("residual")

    def found(self, find: str) -> str:
        """What a find found: `#row`, n."""
        return self._work(f"find.{find}")

    def _work(self, what: str) -> str:
        return f"work.{quoted(f'{self.source}.{self.table}#{what}')}"


def rendered(statement: sa.Select[*tuple[Any, ...]]) -> tuple[str, list[object]]:
    """A select as DuckDB text with `$1`, `$2`, … and its parameters in order."""
    compiled = statement.compile(dialect=_DIALECT)
    order = compiled.positiontup or []
    return str(compiled), [compiled.params[name] for name in order]


def label(expression: Sql, name: str) -> sa.Label[Any]:
    """An expression under a name that is always quoted."""
    return expression.label(quoted_name(name, quote=True))


def relation(sql: str) -> sa.FromClause:
    """A relation of ours for a `from`; `sql` is quoted text made by `Names`, with an alias."""
    found: Any = sa.text(sql.replace(":", "\\:"))
    return cast("sa.FromClause", found)


def living_rows(names: Names) -> sa.FromClause:
    """The typed rows that have no fate."""
    return relation(
        f"(select * from {names.typed} r"
        f' where not exists (select 1 from {names.fate} f where f."#row" = r."#row")) living'
    )
