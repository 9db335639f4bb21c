"""What a mapping says of references that lead nowhere: `references` in system.yaml, `missing` in a `find`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.mapping.expr import Call, Literal, Name
from consolidate.mapping.language import Cell, Missing, ReferencePolicy, StoreReference
from consolidate.mapping.load_expr import expression
from consolidate.mapping.references import BOTS, references
from consolidate.mapping.yaml import Entry, Mapping, Node, Problems, Scalar, known_keys, map_of, nearest, text_of

if TYPE_CHECKING:
    from consolidate.errors import Location
    from consolidate.mapping.references import Reference

REFERENCE: Final = "reference"
"""In the cells of a stub: the text that points."""

MARKS: Final = {
    "trading.trades": "strategy_params",
    "trading.positions": "position_metadata",
    "trading.orders": "order_metadata",
}
"""The tables that stubs can stand in, and the JSON column in which each says that it is one."""

MARK: Final = "stub_for"
"""The member of that JSON: which reference the stub stands for."""


def read_references(root: Mapping, problems: Problems) -> tuple[ReferencePolicy, ...]:
    """What is to become of references of the unified schema that lead nowhere, where it is not `reject`."""
    known = {one.name: one for one in references() if one.to_table != BOTS}
    found = []
    for entry in map_of(root.get("references"), "`references`", problems) or ():
        reference = known.get(entry.key)
        if reference is None:
            hint = nearest(entry.key, known) or f"these are known: {', '.join(known)}"
            if any(one.name == entry.key for one in references()):
                hint = "the bot of a row is filled in by itself, and always there"
            problems.add("unknown-reference", f"`references` cannot say {entry.key!r}", entry.location, hint)
            continue
        policy = _policy(entry, reference, problems)
        if policy is not None:
            found.append(policy)
    return tuple(found)


def read_store_references(root: Mapping, problems: Problems) -> tuple[StoreReference, ...]:
    """The columns of a source table that name rows of another, where no `find` says so already."""
    found = []
    for entry in map_of(root.get("references"), "`references`", problems) or ():
        what = f"the reference {entry.key!r}"
        node, missing = entry.value, Missing.REJECT
        if isinstance(node, Mapping):
            known_keys(node, ("to", "missing"), what, problems)
            missing = missing_of(node.get("missing"), what, problems)
            node = node.get("to") or Scalar(text=None, location=entry.location, blank=True)
        to_table, dot, to_column = (text_of(node, what, problems) or "").rpartition(".")
        if not dot or not to_table or not to_column:
            problems.add("bad-value", f"{what} does not say of what", node.location, "write `trade_id: trades.id`")
            continue
        found.append(
            StoreReference(
                column=entry.key, to_table=to_table, to_column=to_column, missing=missing, location=entry.location
            )
        )
    return tuple(found)


def missing_of(node: Node | None, what: str, problems: Problems) -> Missing:
    """What `missing` of a find says: `reject`, which is meant where it says nothing, or `null`."""
    found = Missing.REJECT if node is None else _word(node)
    if found is Missing.REJECT or found is Missing.NULL:
        return found
    hint = "`reject`, or `null`: the row is as if it had not pointed"
    if found is Missing.STUB and node is not None:
        hint = "no row of a store is made: take `null`, make an id in the cell, say `stub` under `references` there"
    problems.add("bad-value", f"`missing` of {what} is neither `reject` nor `null`", _place(node), hint)
    return Missing.REJECT


def _policy(entry: Entry, reference: Reference, problems: Problems) -> ReferencePolicy | None:
    node = entry.value
    cells: tuple[Cell, ...] = ()
    missing = _word(node)
    if isinstance(node, Mapping):
        known_keys(node, (Missing.STUB,), f"the reference {entry.key!r}", problems)
        made = map_of(node.get(Missing.STUB), "`stub`", problems)
        if made is not None:
            missing = Missing.STUB
            cells = _cells(made, problems)
    if missing is None:
        hint = "`reject`, `null`, or `{stub: {column: …}}`"
        problems.add("bad-value", f"what becomes of {entry.key} is not said", node.location, hint)
        return None
    if missing is Missing.STUB:
        mark = MARKS.get(reference.to_table)
        own = {reference.to_column: Name(parts=(REFERENCE,), location=entry.location)}
        for cell in cells:
            if cell.column in {mark, *own}:
                hint = "a stub has the id that points at it, and says itself that it is one"
                problems.add("bad-value", f"`{cell.column}` of a stub is filled in by itself", cell.location, hint)
            elif any(one.name == f"{reference.to_table}.{cell.column}" for one in references()):
                problems.add("bad-value", f"a stub points at nothing: `{cell.column}`", cell.location, "leave it out")
        cells = (
            *(Cell(column=name, expr=expr, location=entry.location) for name, expr in own.items()),
            *([] if mark is None else [Cell(column=mark, expr=_mark(entry), location=entry.location)]),
            *cells,
        )
    return ReferencePolicy(reference=reference, missing=missing, stub=cells, location=entry.location)


def _mark(entry: Entry) -> Call:
    said = Literal(value=entry.key, location=entry.location)
    return Call(function="pack", arguments=(), options=((MARK, said),), location=entry.location)


def _cells(node: Mapping, problems: Problems) -> tuple[Cell, ...]:
    cells = []
    for item in node:
        value = expression(item.value, f"`{item.key}`", problems)
        if value is not None:
            cells.append(Cell(column=item.key, expr=value, location=item.location))
    return tuple(cells)


def _word(node: Node) -> Missing | None:
    match node:
        case Scalar(text=None, blank=False):
            return Missing.NULL
        case Scalar(text=text) if text in list(Missing):
            return Missing(text)
        case _:
            return None


def _place(node: Node | None) -> Location | None:
    return None if node is None else node.location
