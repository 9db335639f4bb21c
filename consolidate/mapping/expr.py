"""The expressions of mappings: a small subset of Python's syntax, read into closed frozen classes, never evaluated."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.yaml import Problems, Scalar

_MAX_LENGTH: Final = 2_000
_MAX_DEPTH: Final = 40
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+")
_MAX_DIGITS: Final = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A text, an exact number, true, false or null."""

    value: str | Decimal | bool | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """`price`, `closing.timestamp`, `trading.trades.trade_id`: its parts; what it names is found by the compiler."""

    parts: tuple[str, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """`left operator right` on exact numbers; `operator` is +, - or *."""

    operator: str
    left: Expr
    right: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`left operator right`; `operator` is ==, !=, <, <=, > or >=. Null where one side is null."""

    operator: str
    left: Expr
    right: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """`and` or `or` over two or more conditions, in three values as SQL has them."""

    operator: str
    items: tuple[Expr, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """`not item`; null stays null."""

    item: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class NullTest:
    """`item is None`, or `item is not None`: never null itself."""

    item: Expr
    negated: bool
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """`item in [choices]`, or `not in`; null where the item is null."""

    item: Expr
    choices: tuple[Expr, ...]
    negated: bool
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`yes if condition else no`; `no` where the condition is null."""

    condition: Expr
    yes: Expr
    no: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """`value_map[item]`: total over what is observed; null stays null."""

    value_map: str
    item: Expr
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`function(arguments, name=option)`."""

    function: str
    arguments: tuple[Expr, ...]
    options: tuple[tuple[str, Expr], ...]
    location: Location


Expr: TypeAlias = (
    Literal | Name | Arithmetic | Comparison | Logic | Not | NullTest | Membership | Choice | Lookup | Call
)
"""Closed: match on it."""

_ARITHMETIC: Final[dict[type[ast.operator], str]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_COMPARISON: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


class _RefusedError(Exception):
    def __init__(self, node: ast.AST | None, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.node = node
        self.message = message
        self.hint = hint


def parse(scalar: Scalar, problems: Problems) -> Expr | None:
    """The expression that a scalar holds; None, with a located problem, where it is none. Null is the literal null."""
    if scalar.text is None:
        return Literal(value=None, location=scalar.location)
    return parse_text(scalar.text, scalar.location, problems)


def parse_text(text: str, location: Location, problems: Problems) -> Expr | None:
    """As `parse`, for text that stands at `location`. Never raises, never hangs, whatever the text is."""
    source = text.strip()
    if len(source) > _MAX_LENGTH:
        message = f"the expression is longer than {_MAX_LENGTH} characters"
        problems.add("bad-expression", message, location, "use `let`")
        return None
    if not source.isprintable():
        problems.add("bad-expression", "the expression holds a control character", location, "write it on one line")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, mode="eval")
        return _Reader(source, location).read(tree.body, 0)
    except _RefusedError as refused:
        problems.add("bad-expression", refused.message, _at(location, refused.node), refused.hint)
    except SyntaxError as error:
        where = replace(location, column=(location.column or 1) + max((error.offset or 1) - 1, 0))
        problems.add("bad-expression", f"{source!r} is no expression: {error.msg}", where, _syntax_hint(source))
    except (RecursionError, MemoryError, ValueError) as error:
        problems.add("bad-expression", f"the expression cannot be read: {type(error).__name__}", location)
    return None


def _syntax_hint(source: str) -> str | None:
    return "one text is written 'in quotes'" if " " in source and "'" not in source else None


def _at(location: Location, node: ast.AST | None) -> Location:
    offset = getattr(node, "col_offset", 0)
    return replace(location, column=(location.column or 1) + offset)


@dataclass(frozen=True, slots=True)
class _Reader:
    source: str
    location: Location

    def read(self, node: ast.expr, depth: int) -> Expr:  # noqa: C901, PLR0911 - a case for each form
        if depth > _MAX_DEPTH:
            raise _RefusedError(node, "the expression is nested too deeply", "use `let`")
        where = _at(self.location, node)
        down = depth + 1
        match node:
            case ast.Constant():
                return self._literal(node, where)
            case ast.Name() | ast.Attribute():
                return Name(parts=self._parts(node), location=where)
            case ast.BinOp():
                return self._arithmetic(node, where, down)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                zero = Literal(value=Decimal(0), location=where)
                return Arithmetic(operator="-", left=zero, right=self.read(operand, down), location=where)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(item=self.read(operand, down), location=where)
            case ast.BoolOp(op=operator, values=values):
                word = "and" if isinstance(operator, ast.And) else "or"
                return Logic(operator=word, items=tuple(self.read(value, down) for value in values), location=where)
            case ast.Compare():
                return self._comparison(node, where, down)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return Choice(
                    condition=self.read(test, down),
                    yes=self.read(body, down),
                    no=self.read(orelse, down),
                    location=where,
                )
            case ast.Subscript(value=ast.Name(id=name), slice=item):
                return Lookup(value_map=name, item=self.read(item, down), location=where)
            case ast.Call():
                return self._call(node, where, down)
            case _:
                raise _RefusedError(
                    node,
                    f"{ast.get_source_segment(self.source, node) or self.source!r} is not part of the language",
                    "mappings/README.md lists the forms and functions",
                )

    def _literal(self, node: ast.Constant, where: Location) -> Literal:
        value = node.value
        if value is None or isinstance(value, (bool, str)):
            return Literal(value=value, location=where)
        written = ast.get_source_segment(self.source, node) or ""
        if isinstance(value, (int, float)) and _NUMBER.fullmatch(written):
            if len(written.replace(".", "").lstrip("0")) > _MAX_DIGITS:
                raise _RefusedError(node, f"{written} has more than {_MAX_DIGITS} digits")
            return Literal(value=Decimal(written), location=where)
        raise _RefusedError(node, f"{written or value!r} is no text and no plain decimal number", "write 1000 or 0.5")

    def _parts(self, node: ast.expr) -> tuple[str, ...]:
        match node:
            case ast.Name(id=name):
                return (name,)
            case ast.Attribute(value=value, attr=name):
                return (*self._parts(value), name)
            case _:
                raise _RefusedError(node, "only names can stand before a dot", "write `found.column`")

    def _arithmetic(self, node: ast.BinOp, where: Location, down: int) -> Expr:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            hint = "ratio(a, b, scale=8) divides" if isinstance(node.op, ast.Div) else "there are +, - and *"
            raise _RefusedError(node, "this operator is not part of the language", hint)
        return Arithmetic(
            operator=operator, left=self.read(node.left, down), right=self.read(node.right, down), location=where
        )

    def _comparison(self, node: ast.Compare, where: Location, down: int) -> Expr:
        if len(node.ops) != 1:
            raise _RefusedError(node, "a comparison has two sides", "join two with `and`")
        operator, right = node.ops[0], node.comparators[0]
        left = self.read(node.left, down)
        match operator:
            case ast.Is() | ast.IsNot():
                if not (isinstance(right, ast.Constant) and right.value is None):
                    raise _RefusedError(node, "`is` compares with None only", "use `==`")
                return NullTest(item=left, negated=isinstance(operator, ast.IsNot), location=where)
            case ast.In() | ast.NotIn():
                if not isinstance(right, (ast.List, ast.Tuple)) or not right.elts:
                    raise _RefusedError(node, "`in` needs a list of values", "write `side in ['buy', 'sell']`")
                choices = tuple(self.read(item, down) for item in right.elts)
                return Membership(item=left, choices=choices, negated=isinstance(operator, ast.NotIn), location=where)
            case _:
                right_read = self.read(right, down)
                if any(isinstance(side, Literal) and side.value is None for side in (left, right_read)):
                    raise _RefusedError(node, "nothing is equal to None", "write `x is None`")
                return Comparison(operator=_COMPARISON[type(operator)], left=left, right=right_read, location=where)

    def _call(self, node: ast.Call, where: Location, down: int) -> Expr:
        if not isinstance(node.func, ast.Name):
            raise _RefusedError(node, "only functions of the language can be called", "mappings/README.md lists them")
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise _RefusedError(node, "`*` is not part of the language", "list the arguments")
        options = []
        for keyword in node.keywords:
            if keyword.arg is None:
                raise _RefusedError(node, "`**` is not part of the language", "list the arguments")
            options.append((keyword.arg, self.read(keyword.value, down)))
        arguments = tuple(self.read(argument, down) for argument in node.args)
        return Call(function=node.func.id, arguments=arguments, options=tuple(options), location=where)


def children(expr: Expr) -> tuple[Expr, ...]:  # noqa: PLR0911 - a case for each form
    """The expressions directly inside an expression, in the order in which they are written."""
    match expr:
        case Literal() | Name():
            return ()
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return (left, right)
        case Logic(items=items):
            return items
        case Not(item=item) | NullTest(item=item) | Lookup(item=item):
            return (item,)
        case Membership(item=item, choices=choices):
            return (item, *choices)
        case Choice(condition=condition, yes=yes, no=no):
            return (yes, condition, no)
        case Call(arguments=arguments, options=options):
            return (*arguments, *(value for _, value in options))


def names(expr: Expr) -> tuple[tuple[str, ...], ...]:
    """The parts of every name in an expression, in order, with repeats."""
    own = (expr.parts,) if isinstance(expr, Name) else ()
    return own + tuple(name for child in children(expr) for name in names(child))
