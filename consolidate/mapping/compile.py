"""Expressions to SQL, with their kinds checked. Identifiers come from the catalogue, values are bind parameters."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol, assert_never

import sqlalchemy as sa

from consolidate.mapping.expr import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Expr,
    Literal,
    Logic,
    Lookup,
    Membership,
    Name,
    Not,
    NullTest,
)
from consolidate.mapping.value import NULL, Check, Kind, Sql, Value, both, call, holds, text
from consolidate.mapping.yaml import nearest
from consolidate.model import RejectCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.errors import Location
    from consolidate.mapping.language import ValueMap
    from consolidate.mapping.layers import Layers
    from consolidate.mapping.yaml import Problems


_MAX_STEPS: Final = 20_000
"""Expressions within expressions, those of each `let` counted where it is used: beyond any mapping for people."""


class Scope(Protocol):
    """What names mean where an expression stands."""

    def resolve(self, name: Name, compiler: Compiler) -> Value | None:
        """The value of a name; None, with a problem noted, where it means nothing here."""

    def special(self, expr: Call, compiler: Compiler) -> Value | None:
        """The value of a function that only this scope knows (aggregates of a group, …); None: it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """A `round(x, n)` that may change values: what it changed in a row (null: nothing)."""

    change: Sql
    location: Location
    column: str | None


@dataclass(slots=True, kw_only=True)
class Compiler:
    """Compiles expressions of one table's mapping and gathers their checks, roundings and problems."""

    scope: Scope
    values: tuple[ValueMap, ...]
    problems: Problems
    zone: str
    layers: Layers
    start: Location
    checks: list[Check] = field(default_factory=list)
    rounded: list[Rounded] = field(default_factory=list)
    guards: list[Sql] = field(default_factory=list)
    raw_columns: set[str] = field(default_factory=set)
    steps: int = 0

    def compile(self, expr: Expr) -> Value:
        """The value of an expression. Where it is wrong a problem is noted and null stands for it."""
        self.steps += 1
        if self.steps > _MAX_STEPS:
            self.problems.add("too-large", "the table's expressions are too large", self.start, "use fewer `let`")
            return Value(sql=NULL, kind=Kind.NULL)
        value = self._compile(expr)
        if value is None:
            return Value(sql=NULL, kind=Kind.NULL)
        if value.kind is Kind.NULL or (isinstance(expr, Name) and len(expr.parts) == 1 and value.raw is not None):
            return value
        return replace(value, sql=self.layers.hoist(value.sql))

    def raw_of(self, value: Value) -> Sql | None:
        """The text as stored, where the value is a column and nothing else; notes that it is needed."""
        if value.raw is not None and value.column is not None:
            self.raw_columns.add(value.column)
        return value.raw

    def condition(self, expr: Expr) -> Sql:
        """A condition with null taken as false; a problem is noted where it is none."""
        value = self.compile(expr)
        self.expect(value, (Kind.BOOL,), expr)
        return holds(value.sql)

    def expect(self, value: Value, kinds: tuple[Kind, ...], expr: Expr) -> bool:
        """Note a problem where the value is of none of these kinds; null is of every kind."""
        if value.kind in (*kinds, Kind.NULL):
            return True
        wanted = " or ".join(kind.value for kind in kinds)
        self.wrong(expr.location, f"this is {value.kind.value}, and {wanted} is needed")
        return False

    def wrong(self, location: Location, message: str, hint: str | None = None) -> None:
        """Note a problem of an expression."""
        self.problems.add("bad-expression", message, location, hint)

    def reject_where(self, code: RejectCode, column: str | None, condition: Sql, location: Location) -> None:
        """Reject rows for which the condition holds, wherever the guards of this place hold too."""
        guarded = holds(condition)
        for guard in reversed(self.guards):
            guarded = both(holds(guard), guarded)
        self.checks.append(Check(code=code, column=column, condition=guarded, location=location))

    @contextmanager
    def guard(self, condition: Sql) -> Iterator[None]:
        """Checks made inside apply only where the condition is true."""
        self.guards.append(condition)
        try:
            yield
        finally:
            self.guards.pop()

    def _compile(self, expr: Expr) -> Value | None:  # noqa: C901, PLR0911 - a case for each form
        match expr:
            case Literal():
                return _literal(expr)
            case Name():
                return self.scope.resolve(expr, self)
            case Arithmetic():
                return self._arithmetic(expr)
            case Comparison():
                return self._comparison(expr)
            case Logic():
                return self._logic(expr)
            case Not(item=item):
                value = self.compile(item)
                self.expect(value, (Kind.BOOL,), item)
                return Value(sql=sa.not_(value.sql), kind=Kind.BOOL, column=value.column)
            case NullTest(item=item, negated=negated):
                value = self.compile(item)
                test = value.sql.is_not(None) if negated else value.sql.is_(None)
                return Value(sql=test, kind=Kind.BOOL, column=value.column)
            case Membership():
                return self._membership(expr)
            case Choice():
                return self._choice(expr)
            case Lookup():
                return self._lookup(expr)
            case Call():
                return self._call(expr)
            case _:
                assert_never(expr)

    def _arithmetic(self, expr: Arithmetic) -> Value:
        left, right = self.compile(expr.left), self.compile(expr.right)
        self.expect(left, (Kind.NUMBER,), expr.left)
        self.expect(right, (Kind.NUMBER,), expr.right)
        name = {"+": "num_add", "-": "num_sub", "*": "num_mul"}[expr.operator]
        sql = self.layers.hoist(call(name, left.sql, right.sql))
        column = left.column or right.column
        known = sa.and_(left.sql.is_not(None), right.sql.is_not(None))
        self.reject_where(RejectCode.OUT_OF_RANGE, column, sa.and_(known, sql.is_(None)), expr.location)
        return Value(sql=sql, kind=Kind.NUMBER, column=column, derived=True)

    def _comparison(self, expr: Comparison) -> Value:
        left, right = self.compile(expr.left), self.compile(expr.right)
        column = left.column or right.column
        if Kind.NULL not in {left.kind, right.kind} and left.kind != right.kind:
            self.wrong(expr.location, f"{left.kind.value} cannot be compared with {right.kind.value}")
        one: Sql = left.sql
        other: Sql = right.sql
        if Kind.NUMBER in {left.kind, right.kind}:
            one, other = call("num_compare", left.sql, right.sql), sa.literal_column("0")
        elif expr.operator not in {"==", "!="} and left.kind in {Kind.JSON, Kind.BOOL, Kind.LIST}:
            self.wrong(expr.location, f"{left.kind.value} has no order", "compare with == or !=")
        operators = {
            "==": one == other,
            "!=": one != other,
            "<": one < other,
            "<=": one <= other,
            ">": one > other,
            ">=": one >= other,
        }
        return Value(sql=operators[expr.operator], kind=Kind.BOOL, column=column)

    def _logic(self, expr: Logic) -> Value:
        compiled = []
        for item in expr.items:
            value = self.compile(item)
            self.expect(value, (Kind.BOOL,), item)
            compiled.append(value)
        join = sa.and_ if expr.operator == "and" else sa.or_
        column = next((value.column for value in compiled if value.column), None)
        return Value(sql=join(*(value.sql for value in compiled)), kind=Kind.BOOL, column=column)

    def _membership(self, expr: Membership) -> Value:
        item = self.compile(expr.item)
        tests: list[Sql] = []
        for choice in expr.choices:
            value = self.compile(choice)
            self.expect(value, (item.kind,), choice)
            if Kind.NUMBER in {item.kind, value.kind}:
                tests.append(call("num_compare", item.sql, value.sql) == sa.literal_column("0"))
            else:
                tests.append(item.sql == value.sql)
        found = sa.or_(*tests)
        return Value(sql=sa.not_(found) if expr.negated else found, kind=Kind.BOOL, column=item.column)

    def _choice(self, expr: Choice) -> Value:
        condition = self.condition(expr.condition)
        with self.guard(condition):
            yes = self.compile(expr.yes)
        with self.guard(sa.not_(condition)):
            no = self.compile(expr.no)
        kind = self.common([yes, no], expr.location)
        sql = sa.case((condition, yes.sql), else_=no.sql)
        return united(sql, kind, [yes, no])

    def common(self, values: list[Value], location: Location) -> Kind:
        """The one kind of several values; null goes with every kind."""
        kinds = [value.kind for value in values if value.kind is not Kind.NULL]
        if len(set(kinds)) > 1:
            self.wrong(location, f"one is {kinds[0].value}, another {next(k for k in kinds if k != kinds[0]).value}")
        return kinds[0] if kinds else Kind.NULL

    def _lookup(self, expr: Lookup) -> Value | None:
        value_map = next((one for one in self.values if one.name == expr.value_map), None)
        if value_map is None:
            hint = nearest(expr.value_map, (one.name for one in self.values))
            self.wrong(expr.location, f"there is no value map {expr.value_map!r}", hint or "write it under `values`")
            return None
        item = self.compile(expr.item)
        if not self.expect(item, (Kind.TEXT,), expr.item):
            return None
        folded = self.layers.hoist(call("folded", item.sql))
        unknown = sa.and_(item.sql.is_not(None), folded.not_in([text(key) for key, _ in value_map.entries]))
        self.reject_where(RejectCode.UNMAPPED_VALUE, item.column, unknown, expr.location)
        whens = [(folded == text(old), NULL if new is None else text(new)) for old, new in value_map.entries]
        sql = sa.case(*whens) if whens else NULL
        return Value(sql=sa.cast(sql, sa.String()), kind=Kind.TEXT, column=item.column)

    def _call(self, expr: Call) -> Value | None:
        special = self.scope.special(expr, self)
        if special is not None:
            return special
        from consolidate.mapping.functions import FUNCTIONS  # noqa: PLC0415 - functions know the compiler

        function = FUNCTIONS.get(expr.function)
        if function is None:
            self.wrong(
                expr.location,
                f"there is no function {expr.function!r}",
                nearest(expr.function, FUNCTIONS) or "mappings/README.md lists the functions",
            )
            return None
        return function(self, expr)


def united(sql: Sql, kind: Kind, values: list[Value]) -> Value:
    """A value that is one of several: it is to be treated as the most demanding of them."""
    known = [value for value in values if value.kind is not Kind.NULL]
    decimals = [value.decimals for value in known if value.decimals is not None]
    return Value(
        sql=sql,
        kind=kind,
        column=next((value.column for value in values if value.column), None),
        derived=any(value.derived for value in values),
        decimals=max(decimals) if decimals and len(decimals) == len(known) else None,
        floating=any(value.floating for value in values),
    )


def _literal(expr: Literal) -> Value:
    match expr.value:
        case None:
            return Value(sql=NULL, kind=Kind.NULL)
        case bool():
            return Value(sql=sa.literal_column("true" if expr.value else "false"), kind=Kind.BOOL)
        case Decimal():
            digits = -int(expr.value.as_tuple().exponent)
            return Value(sql=call("num", text(f"{expr.value:f}")), kind=Kind.NUMBER, decimals=digits)
        case str():
            return Value(sql=text(expr.value), kind=Kind.TEXT)
