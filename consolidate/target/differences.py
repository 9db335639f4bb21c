"""The target schema against the expected one, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate.target.catalogue import Catalogue, FoundRelation
    from consolidate.target.contract import ColumnContract, Contract, NamedContract, TableContract

_KINDS: Final = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialised view",
    "f": "foreign table",
    "S": "sequence",
    "c": "composite type",
}


def differences(found: Catalogue, contract: Contract) -> tuple[str, ...]:
    """One sentence for each thing that is missing, extra or different; none when the schema is the expected one.

    The order of columns does not matter, comments and owners neither.
    """
    return tuple(_differences(found, contract))


def _differences(found: Catalogue, contract: Contract) -> Iterator[str]:
    ours = {relation.name for relation in contract.relations}
    views = {relation.name for relation in contract.views}
    there = {relation.name: relation for relation in found.relations}
    for name, relation in sorted(there.items()):
        if name not in ours:
            yield f"foreign relation {name} ({_KINDS[relation.kind]}) is in a schema of ours"
    for wanted in contract.relations:
        kind = "m" if wanted.name in views else "r"
        if wanted.name not in there:
            yield f"{_KINDS[kind]} {wanted.name} is missing"
        else:
            yield from _relation(there[wanted.name], wanted, kind)
    for attachment in found.attachments:
        if attachment.relation in ours:
            yield f"{attachment.relation} has the extra {attachment.kind} {attachment.name}"


def _relation(found: FoundRelation, wanted: TableContract, kind: str) -> Iterator[str]:
    if found.kind != kind:
        yield f"{wanted.name} is a {_KINDS[found.kind]}, not a {_KINDS[kind]}"
    if not found.persistent:
        yield f"{wanted.name} is unlogged: its rows would not survive a crash"
    if found.row_security:
        yield f"{wanted.name} has row-level security switched on"
    if found.shape is not None:
        yield from _columns(wanted.name, found.shape.columns, wanted.columns)
        yield from _named(wanted.name, "constraint", found.shape.constraints, wanted.constraints)
        yield from _named(wanted.name, "index", found.shape.indexes, wanted.indexes)


def _columns(table: str, found: Sequence[ColumnContract], wanted: Sequence[ColumnContract]) -> Iterator[str]:
    there = {column.name: column for column in found}
    for column in wanted:
        place = f"{table}.{column.name}"
        other = there.pop(column.name, None)
        if other is None:
            yield f"column {place} is missing ({column.type})"
            continue
        if other.type != column.type:
            yield f"{place} is {other.type}, not {column.type}"
        if other.not_null != column.not_null:
            yield f"{place} {'does not admit' if other.not_null else 'admits'} nulls"
        if other.default != column.default:
            yield f"{place} has {_default(other)}, not {_default(column)}"
    for name, other in there.items():
        yield f"{table} has the extra column {name} ({other.type})"


def _default(column: ColumnContract) -> str:
    return "no default" if column.default is None else f"the default {column.default}"


def _named(table: str, what: str, found: Sequence[NamedContract], wanted: Sequence[NamedContract]) -> Iterator[str]:
    there = {one.name: one.definition for one in found}
    for one in wanted:
        definition = there.pop(one.name, None)
        if definition is None:
            yield f"{what} {one.name} of {table} is missing: {one.definition}"
        elif definition != one.definition:
            yield f"{what} {one.name} of {table} is `{definition}`, not `{one.definition}`"
    for name, definition in there.items():
        yield f"{table} has the extra {what} {name}: {definition}"
