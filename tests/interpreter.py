"""What expressions mean, in Python: the reference that compiled SQL is compared with. Numbers are fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = Fraction | str | bool | None


class UnmappedError(Exception):
    """A value map lacks the value: the row is rejected."""


def value(expr: Expr, row: Mapping[str, Value], maps: Mapping[str, Mapping[str, str | None]]) -> Value:  # noqa: C901, PLR0912
    """The value of an expression over a row. Raises `UnmappedError`."""

    def of(one: Expr) -> Value:
        return value(one, row, maps)

    match expr:
        case Literal(value=constant):
            return Fraction(constant) if isinstance(constant, Decimal) else constant
        case Name(parts=(name,)):
            return row[name]
        case Arithmetic(operator=operator, left=left, right=right):
            a, b = of(left), of(right)
            if not isinstance(a, Fraction) or not isinstance(b, Fraction):
                return None
            return {"+": a + b, "-": a - b, "*": a * b}[operator]
        case Comparison(operator=operator, left=left, right=right):
            return _compared(operator, of(left), of(right))
        case Logic(operator=operator, items=items):
            found = [of(item) for item in items]
            decisive = operator == "or"
            return decisive if decisive in found else None if None in found else not decisive
        case Not(item=item):
            found_one = of(item)
            return None if found_one is None else not found_one
        case NullTest(item=item, negated=negated):
            return (of(item) is None) != negated
        case Membership(item=item, choices=choices, negated=negated):
            equal = [_compared("==", of(item), of(choice)) for choice in choices]
            inside = True if True in equal else None if None in equal else False
            return None if inside is None else inside != negated
        case Choice(condition=condition, yes=yes, no=no):
            return of(yes) if of(condition) is True else of(no)
        case Lookup(value_map=name, item=item):
            text = of(item)
            if text is None:
                return None
            folded = str(text).strip().upper()
            if folded not in maps[name]:
                raise UnmappedError(text)
            return maps[name][folded]
        case Call(function="coalesce", arguments=arguments):
            return next((found_one for one in arguments if (found_one := of(one)) is not None), None)
        case Call(function=function, arguments=arguments, options=options):
            return _called(function, [of(one) for one in arguments], {key: of(one) for key, one in options})
        case _:
            raise NotImplementedError(expr)


def _compared(operator: str, a: Value, b: Value) -> bool | None:
    if a is None or b is None:
        return None
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        below, equal = a < b, a == b
    else:
        below, equal = str(a).encode() < str(b).encode(), a == b
    return {
        "==": equal,
        "!=": not equal,
        "<": below,
        "<=": below or equal,
        ">": not below and not equal,
        ">=": not below,
    }[operator]


def _called(function: str, given: list[Value], options: dict[str, Value]) -> Value:
    match function, given:
        case "nullif", [a, b]:
            return None if a == b and a is not None else a
        case "concat", _:
            return None if None in given else "".join(str(one) for one in given)
        case (("upper" | "lower" | "trim"), [str(text)]):
            return {"upper": text.upper(), "lower": text.lower(), "trim": text.strip(" ")}[function]
        case "round", [Fraction() as number, Fraction() as decimals]:
            return Fraction(round(number * 10 ** int(decimals)), 10 ** int(decimals))
        case "ratio", [Fraction() as a, Fraction() as b] if b != 0:
            scale = options["scale"]
            assert isinstance(scale, Fraction)
            return Fraction(round(a / b * 10 ** int(scale)), 10 ** int(scale))
        case "abs", [Fraction() as number]:
            return abs(number)
        case _:
            return None
