"""Which columns of a source table go to which columns of a unified table: by name, type and values, never by hope.

A match is certain where the names are the same and no unit is in question. Another name for the same is a guess, marked
as one. A number whose unit the name does not say (money of which currency, a fraction or percent) is a question,
whatever its name: the rule is written as a comment, and the column is open until a person decides.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.mapping.enumerations import choices
from consolidate.mapping.language import ColumnType
from consolidate.mapping.target_types import target_type
from consolidate.mapping.value import Kind
from consolidate.scaffold.words import ALIKE, IDS, PRICES, SAID, TABLES, UNITLESS, VALUE_MAPS
from consolidate.target.contract import expected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consolidate.scaffold.facts import TableFacts
    from consolidate.scaffold.types import Typed
    from consolidate.target.contract import ColumnContract, TableContract

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BY_ITSELF: Final = frozenset({"bot_id", "id"})
_FRACTIONS: Final = ("_pct", "win_rate", "daily_return", "strength", "confidence", "_score", "drawdown", "_ratio")
_WHOLE: Final = frozenset({"integer", "bigint"})
_LEAST_COLUMNS: Final = 3
_QUANTITIES: Final = ("quantity", "qty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A rule of a draft. `question` None: certain; `is_open`: it is written as a comment, and decides nothing yet."""

    target: str
    rule: str
    source: str | None = None
    question: str | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What a source table may become. `values` are the maps of values that it needs: name, and old → new (None: open).

    `required` are columns that the target requires and that nothing fills. `guess`: why the table itself is uncertain.
    """

    target: TableContract
    cells: tuple[Cell, ...]
    values: tuple[tuple[str, tuple[tuple[str, str | None], ...]], ...]
    required: tuple[str, ...]
    guess: str | None

    @property
    def used(self) -> frozenset[str]:
        """The source columns that a rule, also an open one, names."""
        return frozenset(cell.source for cell in self.cells if cell.source is not None)


def usable(name: str) -> bool:
    """Whether an expression can name the column."""
    return _NAME.fullmatch(name) is not None and not keyword.iskeyword(name) and name != "bot_id"


def matched(table: TableFacts, columns: tuple[Typed, ...], shared: Mapping[str, Mapping[str, str]]) -> Matched | None:
    """The unified table that a source table looks like, with its rules; None where it looks like none.

    `shared` are the value maps that every mapping can use.
    """
    target, guess = _target(table, columns)
    if target is None:
        return None
    named = {one.column.name: one for one in columns if usable(one.column.name)}
    taken: set[str] = set()
    found: dict[str, Cell] = {}
    values: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
    for exact in (True, False):
        for column in target.columns:
            source = None if column.name in found else _source(column, named, taken, exact=exact)
            if source is None or column.name in _BY_ITSELF or _is_id(target, column):
                continue
            cell, map_ = _cell(target, column, source, shared, exact=exact)
            found[column.name] = cell
            taken.add(source.column.name)
            values += [] if map_ is None else [map_]
    identifier = _identifier(target, found)
    cells = [found[column.name] for column in target.columns if column.name in found]
    live = {cell.target for cell in cells if not cell.is_open} | _BY_ITSELF
    live |= set() if identifier is None else {identifier.target}
    return Matched(
        target=target,
        cells=tuple(cells) if identifier is None else (identifier, *cells),
        values=tuple(values),
        required=tuple(column.name for column in target.columns if column.not_null and column.name not in live),
        guess=guess,
    )


def _target(table: TableFacts, columns: tuple[Typed, ...]) -> tuple[TableContract | None, str | None]:
    """The unified table by the words of the name, else by the columns that are called as its own."""
    words = set(re.split(r"[^a-z]+", table.name.lower()))
    names = {one.column.name.lower() for one in columns}
    best: tuple[int, str] | None = None
    for name, known in TABLES.items():
        contract = expected().table(name)
        if contract is None:
            continue
        same = sum(column.name in names for column in contract.columns if column.name not in _BY_ITSELF)
        alike = sum(
            column.name not in names and bool(names & set(ALIKE.get(column.name, ()))) for column in contract.columns
        )
        if words & set(known):
            return contract, None if words == set(known) & words and len(words) == 1 else "by its name"
        if same > 1 and same + alike >= _LEAST_COLUMNS and (best is None or same + alike > best[0]):
            best = (same + alike, name)
    return (None, None) if best is None else (expected().table(best[1]), "by the names of its columns")


def _is_id(target: TableContract, column: ColumnContract) -> bool:
    return IDS.get(target.name, ("", ""))[0] == column.name


def _source(column: ColumnContract, named: dict[str, Typed], taken: set[str], *, exact: bool) -> Typed | None:
    """The column of the source that has the name (`exact`), or one that means the same, and a type that fits."""
    names = (column.name,) if exact else ALIKE.get(column.name, ())
    by_lower = {name.lower(): one for name, one in named.items() if name not in taken}
    kinds = target_type(column.type).kinds
    fitting = (by_lower[name] for name in names if name in by_lower)
    return next((one for one in fitting if one.kind in kinds), None)


def _cell(
    target: TableContract,
    column: ColumnContract,
    source: Typed,
    shared: Mapping[str, Mapping[str, str]],
    *,
    exact: bool,
) -> tuple[Cell, tuple[str, tuple[tuple[str, str | None], ...]] | None]:
    name = source.column.name
    type_ = target_type(column.type)
    question = None if exact else f"is {name} the {column.name}?"
    rule = name
    values = None
    if Kind.TEXT in type_.kinds:
        rule, values, unlisted = _text_rule(target, column, source, shared)
        question = unlisted or question
    if Kind.NUMBER in type_.kinds:
        asked = _unit(column, name, source)
        if source.type is ColumnType.FLOAT:
            rule = f"round({name}, {type_.scale or 0})"
        if asked is not None or (column.type in _WHOLE and source.type is ColumnType.FLOAT):
            text = asked or f"{name} has decimals"
            return Cell(target=column.name, rule=rule, source=name, question=text, is_open=True), None
    if source.type is None and question is None:
        question = f"as long as the type of {name} is open"
    return Cell(target=column.name, rule=rule, source=name, question=question), values


def _text_rule(
    target: TableContract, column: ColumnContract, source: Typed, shared: Mapping[str, Mapping[str, str]]
) -> tuple[str, tuple[str, tuple[tuple[str, str | None], ...]] | None, str | None]:
    """The rule of a text, the map of values that it needs, and what is open about it."""
    name = source.column.name
    if column.name == "symbol":
        return f"unified_symbol({name})", None, None
    allowed = choices(target, column.name)
    known = VALUE_MAPS.get(f"{target.name}.{column.name}")
    if not allowed and known is None:
        return name, None, None
    new = {} if known is None else shared.get(known, {})
    old = source.column.distinct
    if known is not None and old and all(value.strip().lower() in new for value in old):
        return f"{known}[{name}]", None, None
    spellings = {value.strip().lower(): value.strip() for value in reversed(old)}  # a map compares them alike
    rows = tuple((value, _listed(value, allowed, new)) for value in spellings.values())
    if not rows:
        return f"{known or f'{name}_values'}[{name}]", (f"{name}_values", ()), "its values are many, or none"
    open_ = any(value is None for _, value in rows)
    return f"{name}_values[{name}]", (f"{name}_values", rows), "not every value has a meaning yet" if open_ else None


def _listed(value: str, allowed: tuple[str, ...], known: Mapping[str, str]) -> str | None:
    """What a value becomes: what the shared map says, or itself where the target takes it; None: a question."""
    plain = value.strip().lower()
    return known.get(plain) or next((one for one in allowed if one.lower() == plain), None)


def _unit(column: ColumnContract, name: str, source: Typed) -> str | None:
    """The question of the unit of a number; None where its name answers it."""
    lower = name.lower()
    span = f"{source.column.minimum} to {source.column.maximum}"
    if column.name in UNITLESS or column.name in PRICES or (lower == column.name and lower.endswith(SAID)):
        return None
    if column.name in {"quantity", "size", "filled_quantity", "remaining_quantity"}:
        plain = lower in _QUANTITIES or lower == column.name != "size"
        return None if plain else f"in units of the base, or money? {name} goes from {span}"
    if column.name.endswith(_FRACTIONS):
        return f"a fraction (0.01 = 1 %) or percent? {name} goes from {span}"
    if column.type in _WHOLE:
        return f"which unit? {name} goes from {span}"
    return f"money: which currency, and of what? {name} goes from {span}"


def _identifier(target: TableContract, found: dict[str, Cell]) -> Cell | None:
    """The rule of the text id: the tool's own, of bot, symbol, time and source key."""
    if target.name not in IDS:
        return None
    name, time = IDS[target.name]
    symbol, moment = found.get("symbol"), found.get(time)
    if symbol is None or moment is None:
        return Cell(target=name, rule="new_id(symbol, time)", question="of which symbol and time?", is_open=True)
    question = moment.question or symbol.question
    return Cell(target=name, rule=f"new_id({symbol.rule}, {moment.rule})", question=question)
