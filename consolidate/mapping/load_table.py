"""Read one table file of a mapping into a `TableMapping`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.mapping import expr
from consolidate.mapping.language import (
    Block,
    Cell,
    Column,
    ColumnType,
    Find,
    FindByKey,
    FindByTime,
    FindListed,
    Keep,
    Merge,
    Pair,
    Reasoned,
    Rule,
    Shared,
    TableMapping,
    ValueMap,
)
from consolidate.mapping.yaml import (
    Entry,
    Mapping,
    Node,
    Problems,
    Scalar,
    Sequence,
    known_keys,
    map_of,
    nearest,
    required_text,
    text_of,
    texts_of,
)
from consolidate.model import RejectCode

if TYPE_CHECKING:
    from consolidate.mapping.expr import Expr

_TABLE_KEYS: Final = (
    "from",
    "key",
    "bot",
    "columns",
    "ignore",
    "carry",
    "values",
    "let",
    "pair",
    "keep",
    "filter",
    "reject",
    "find",
    "into",
)
_BLOCK_KEYS: Final = ("when", "per", "mark", "merge", "shared")
_ORDERS: Final = {"last": "before", "first": "from_time", "nearest": "to"}


def read_table(root: Mapping, values: tuple[ValueMap, ...], problems: Problems) -> TableMapping | None:
    """What a table file says; None where it does not even name its table."""
    known_keys(root, _TABLE_KEYS, "a table file", problems)
    table = required_text(root, "from", "a table file", problems)
    key = texts_of(root.get("key"), "`key`", problems)
    if not key:
        problems.add("missing-key", "the table has no `key`", root.location, "add `key: [id]`")
    into = map_of(root.get("into"), "`into`", problems)
    if into is None or not into.entries:
        problems.add("missing-key", "the table becomes nothing: `into` is missing", root.location, "add `into:`")
    if table is None:
        return None
    bot = root.get("bot")
    return TableMapping(
        table=str(table.text),
        key=tuple(str(part.text) for part in key),
        bot_column=text_of(bot, "`bot`", problems),
        columns=_columns(root, problems),
        ignored=_ignored(root, problems),
        carried=tuple(str(name.text) for name in texts_of(root.get("carry"), "`carry`", problems)),
        values=values,
        lets=_lets(root, problems),
        pair=_pair(root, problems),
        keep=_keep(root, problems),
        filter=_filter(root, problems),
        rejects=_rejects(root, problems),
        finds=_finds(root, problems),
        blocks=tuple(block for entry in into or () for block in _blocks(entry, problems)),
        location=root.location,
    )


def _columns(root: Mapping, problems: Problems) -> tuple[Column, ...]:
    node = map_of(root.get("columns"), "`columns`", problems)
    if node is None:
        problems.add("missing-key", "the table declares no `columns`", root.location, "list each with what it holds")
    types = [one.value for one in ColumnType]
    found = []
    for entry in node or ():
        written = text_of(entry.value, f"the type of {entry.key!r}", problems)
        if written not in types:
            hint = nearest(str(written), types) or f"one of {', '.join(types)}"
            problems.add("unknown-type", f"{written!r} is no type of a column", entry.value.location, hint)
            continue
        found.append(Column(name=entry.key, type=ColumnType(written), location=entry.location))
    return tuple(found)


def _ignored(root: Mapping, problems: Problems) -> tuple[Reasoned, ...]:
    found = []
    for entry in map_of(root.get("ignore"), "`ignore`", problems) or ():
        reason = text_of(entry.value, f"the reason for {entry.key!r}", problems)
        if reason is None or not reason.strip():
            problems.add("missing-reason", f"{entry.key!r} is left out without a reason", entry.location, "say why")
        found.append(Reasoned(name=entry.key, reason=reason or "", location=entry.location))
    return tuple(found)


def _expr(node: Node | None, what: str, problems: Problems) -> Expr | None:
    match node:
        case None:
            return None
        case Scalar():
            return expr.parse(node, problems)
        case _:
            problems.add("not-a-text", f"{what} must be an expression", node.location)
            return None


def _required(node: Mapping, key: str, what: str, problems: Problems) -> Expr | None:
    if node.get(key) is None:
        problems.add("missing-key", f"{what} needs {key!r}", node.location, f"add `{key}: …`")
    return _expr(node.get(key), f"`{key}`", problems)


def _exprs(node: Node | None, what: str, problems: Problems) -> tuple[Expr, ...]:
    found = (expr.parse(item, problems) for item in texts_of(node, what, problems))
    return tuple(one for one in found if one is not None)


def _lets(root: Mapping, problems: Problems) -> tuple[tuple[str, Expr], ...]:
    found = []
    for entry in map_of(root.get("let"), "`let`", problems) or ():
        value = _expr(entry.value, f"`{entry.key}`", problems)
        if value is not None:
            found.append((entry.key, value))
    return tuple(found)


def _pair(root: Mapping, problems: Problems) -> Pair | None:
    node = map_of(root.get("pair"), "`pair`", problems)
    if node is None:
        return None
    known_keys(node, ("by", "at", "event", "open", "close"), "`pair`", problems)
    by = _exprs(node.get("by"), "`by`", problems)
    at = _required(node, "at", "`pair`", problems)
    event = _required(node, "event", "`pair`", problems)
    opening = required_text(node, "open", "`pair`", problems)
    closing = required_text(node, "close", "`pair`", problems)
    if not by:
        problems.add("missing-key", "`pair` needs `by`", node.location, "add `by: [symbol]`")
    if at is None or event is None or opening is None or closing is None or not by:
        return None
    return Pair(
        by=by, at=at, event=event, open=str(opening.text), close=str(closing.text), location=node.location
    )


def _keep(root: Mapping, problems: Problems) -> Keep | None:
    node = map_of(root.get("keep"), "`keep`", problems)
    if node is None:
        return None
    known_keys(node, ("one_per", "last"), "`keep`", problems)
    one_per = _exprs(node.get("one_per"), "`one_per`", problems)
    last = _required(node, "last", "`keep`", problems)
    if not one_per:
        problems.add("missing-key", "`keep` needs `one_per`", node.location, "add `one_per: [symbol]`")
    return None if last is None or not one_per else Keep(one_per=one_per, last=last, location=node.location)


def _filter(root: Mapping, problems: Problems) -> Rule | None:
    node = map_of(root.get("filter"), "`filter`", problems)
    if node is None:
        return None
    known_keys(node, ("when", "reason"), "`filter`", problems)
    when = _required(node, "when", "`filter`", problems)
    reason = required_text(node, "reason", "`filter`", problems)
    if when is None or reason is None:
        return None
    return Rule(when=when, code=None, column=None, reason=reason.text, location=node.location)


def _rejects(root: Mapping, problems: Problems) -> tuple[Rule, ...]:
    node = root.get("reject")
    if node is None or (isinstance(node, Scalar) and node.text is None):
        return ()
    if not isinstance(node, Sequence):
        problems.add("not-a-list", "`reject` must be a list of rules", node.location, "write `- {when: …, code: …}`")
        return ()
    codes = [code.value for code in RejectCode]
    found = []
    for item in node.items:
        rule = map_of(item, "a rule of `reject`", problems)
        if rule is None:
            continue
        known_keys(rule, ("when", "code", "column", "reason"), "a rule of `reject`", problems)
        when = _required(rule, "when", "a rule of `reject`", problems)
        code = required_text(rule, "code", "a rule of `reject`", problems)
        if code is not None and code.text not in codes:
            hint = nearest(str(code.text), codes) or f"one of {', '.join(codes)}"
            problems.add("unknown-code", f"{code.text!r} is no reject code", code.location, hint)
        elif when is not None and code is not None:
            found.append(
                Rule(
                    when=when,
                    code=RejectCode(code.text),
                    column=text_of(rule.get("column"), "`column`", problems),
                    reason=text_of(rule.get("reason"), "`reason`", problems),
                    location=rule.location,
                )
            )
    return tuple(found)


def _finds(root: Mapping, problems: Problems) -> tuple[Find, ...]:
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
        known_keys(node, ("in", "from", "key", "optional"), what, problems)
        optional = text_of(node.get("optional"), "`optional`", problems)
        if optional not in {None, "true", "false"}:
            problems.add("bad-value", f"`optional` is {optional!r}", node.location, "true or false")
        key = _exprs(node.get("key"), "`key`", problems)
        if not key:
            problems.add("missing-key", f"{what} needs `key`", node.location, "add `key: [other_id]`")
        source_table = str(text_of(node.get("from"), "`from`", problems))
        return FindByKey(
            name=entry.key,
            table=table,
            source_table=source_table,
            key=key,
            optional=optional == "true",
            location=entry.location,
        )
    return _find_by_time(entry, node, table, problems)


def _find_by_time(entry: Entry, node: Mapping, table: str, problems: Problems) -> FindByTime | None:
    what = f"find {entry.key!r}"
    known_keys(node, ("in", "by", "mark", *_ORDERS, *_ORDERS.values(), "within"), what, problems)
    by = []
    for item in map_of(node.get("by"), "`by`", problems) or ():
        value = _expr(item.value, f"`{item.key}`", problems)
        if value is not None:
            by.append((item.key, value))
    orders = [order for order in _ORDERS if node.get(order) is not None]
    if len(orders) > 1:
        problems.add("bad-value", f"{what} has {' and '.join(orders)}", node.location, "one of last, first, nearest")
        return None
    order = orders[0] if orders else None
    mark = _expr(node.get("mark"), "`mark`", problems)
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
        time=None if order is None else _required(node, _ORDERS[order], what, problems),
        within=_seconds(node.get("within"), "`within`", problems),
        location=entry.location,
    )


def _seconds(node: Node | None, what: str, problems: Problems) -> int | None:
    text = text_of(node, what, problems)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - far beyond any use
        problems.add("bad-value", f"{what} is {text!r}", node.location if node else None, "whole seconds")
        return None
    return int(text)


def _blocks(entry: Entry, problems: Problems) -> tuple[Block, ...]:
    items = entry.value.items if isinstance(entry.value, Sequence) else (entry.value,)
    found = []
    for item in items:
        node = map_of(item, f"the rule for {entry.key}", problems)
        if node is None:
            problems.add("not-a-map", f"{entry.key} has no rule", entry.location, "list its columns")
            continue
        found.append(_block(entry.key, node, entry, problems))
    return tuple(found)


def _block(target: str, node: Mapping, entry: Entry, problems: Problems) -> Block:
    per = text_of(node.get("per"), "`per`", problems)
    if per not in {None, "group"}:
        problems.add("bad-value", f"`per` is {per!r}", node.location, "`per: group`, or leave it out")
    cells = []
    for item in node:
        if item.key not in _BLOCK_KEYS:
            value = _expr(item.value, f"`{item.key}`", problems)
            if value is not None:
                cells.append(Cell(column=item.key, expr=value, location=item.location))
    return Block(
        target=target,
        cells=tuple(cells),
        when=_expr(node.get("when"), "`when`", problems),
        grouped=per == "group",
        mark=_expr(node.get("mark"), "`mark`", problems),
        merge=_merge(node, problems),
        shared=_shared(node, problems),
        location=entry.location,
    )


def _merge(block: Mapping, problems: Problems) -> Merge | None:
    node = map_of(block.get("merge"), "`merge`", problems)
    if node is None:
        return None
    known_keys(node, ("into", "only", "agree", "replace", "latest", "keep"), "`merge`", problems)
    into = required_text(node, "into", "`merge`", problems)
    if into is None:
        return None
    only = text_of(node.get("only"), "`only`", problems)
    if only not in {None, "true", "false"}:
        problems.add("bad-value", f"`only` is {only!r}", node.location, "true or false")
    agree = []
    for item in map_of(node.get("agree"), "`agree`", problems) or ():
        seconds = _seconds(item.value, f"`{item.key}`", problems)
        agree.append((item.key, seconds or 0))
    replace = []
    for item in map_of(node.get("replace"), "`replace`", problems) or ():
        replace.append((item.key, tuple(str(one.text) for one in texts_of(item.value, f"`{item.key}`", problems))))
    return Merge(
        into=str(into.text),
        only=only == "true",
        agree=tuple(agree),
        replace=tuple(replace),
        latest=tuple(str(name.text) for name in texts_of(node.get("latest"), "`latest`", problems)),
        keep=tuple(str(name.text) for name in texts_of(node.get("keep"), "`keep`", problems)),
        location=node.location,
    )


def _shared(block: Mapping, problems: Problems) -> Shared | None:
    node = map_of(block.get("shared"), "`shared`", problems)
    if node is None:
        return None
    known_keys(node, ("by", "same"), "`shared`", problems)
    by = tuple(str(name.text) for name in texts_of(node.get("by"), "`by`", problems))
    same = tuple(str(name.text) for name in texts_of(node.get("same"), "`same`", problems))
    if not by or not same:
        problems.add("missing-key", "`shared` needs `by` and `same`", node.location)
    return Shared(by=by, same=same, location=node.location)
