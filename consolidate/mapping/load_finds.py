"""The `find` of a table file: look-ups among the candidates that are there already."""

from __future__ import annotations

from typing import Final

from consolidate.mapping.language import Find, FindByKey, FindByTime, FindListed
from consolidate.mapping.load_expr import expression, expressions, required_expression, whole_seconds
from consolidate.mapping.load_references import missing_of
from consolidate.mapping.yaml import Entry, Mapping, Problems, known_keys, map_of, required_text, text_of

_ORDERS: Final = {"last": "before", "first": "from_time", "nearest": "to"}


def read_finds(root: Mapping, problems: Problems) -> tuple[Find, ...]:
    """The finds of a table, in their order."""
    found: list[Find] = []
    for entry in map_of(root.get("find"), "`find`", problems) or ():
        node = map_of(entry.value, f"find {entry.key!r}", problems)
        if node is None:
            continue
        table = required_text(node, "in", f"find {entry.key!r}", problems)
        one = None if table is None else _find(entry, node, str(table.text), problems)
        if one is not None:
            found.append(one)
    return tuple(found)


def _find(entry: Entry, node: Mapping, table: str, problems: Problems) -> Find | None:
    what = f"find {entry.key!r}"
    if node.get("listed") is not None:
        known_keys(node, ("in", "listed"), what, problems)
        parts = str(text_of(node.get("listed"), "`listed`", problems)).split(".")
        if len(parts) != 2:  # noqa: PLR2004 - found.column
            problems.add("bad-value", "`listed` names no column of a find", node.location, "write `found.column`")
            return None
        return FindListed(name=entry.key, table=table, found=parts[0], column=parts[1], location=entry.location)
    if node.get("from") is not None:
        known_keys(node, ("in", "from", "key", "optional", "missing"), what, problems)
        optional = text_of(node.get("optional"), "`optional`", problems)
        if optional not in {None, "true", "false"}:
            problems.add("bad-value", f"`optional` is {optional!r}", node.location, "true or false")
        key = expressions(node.get("key"), "`key`", problems)
        if not key:
            problems.add("missing-key", f"{what} needs `key`", node.location, "add `key: [other_id]`")
        source_table = str(text_of(node.get("from"), "`from`", problems))
        return FindByKey(
            name=entry.key,
            table=table,
            source_table=source_table,
            key=key,
            optional=optional == "true",
            missing=missing_of(node.get("missing"), what, problems),
            location=entry.location,
        )
    return _find_by_time(entry, node, table, problems)


def _find_by_time(entry: Entry, node: Mapping, table: str, problems: Problems) -> FindByTime | None:
    what = f"find {entry.key!r}"
    known_keys(node, ("in", "by", "mark", *_ORDERS, *_ORDERS.values(), "within"), what, problems)
    by = []
    for item in map_of(node.get("by"), "`by`", problems) or ():
        value = expression(item.value, f"`{item.key}`", problems)
        if value is not None:
            by.append((item.key, value))
    orders = [order for order in _ORDERS if node.get(order) is not None]
    if len(orders) > 1:
        problems.add("bad-value", f"{what} has {' and '.join(orders)}", node.location, "one of last, first, nearest")
        return None
    order = orders[0] if orders else None
    mark = expression(node.get("mark"), "`mark`", problems)
    if order is None and mark is None and not by:
        problems.add("missing-key", f"{what} does not say which row", node.location, "add `by`, `mark` or a time")
        return None
    return FindByTime(
        name=entry.key,
        table=table,
        by=tuple(by),
        mark=mark,
        order=order,
        column=None if order is None else text_of(node.get(order), f"`{order}`", problems),
        time=None if order is None else required_expression(node, _ORDERS[order], what, problems),
        within=whole_seconds(node.get("within"), "`within`", problems),
        location=entry.location,
    )
