"""Read one table file of a mapping into a `TableMapping`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from consolidate.mapping.language import (
    ARCHIVE,
    Archive,
    Block,
    Cell,
    Column,
    ColumnType,
    Keep,
    Merge,
    Owner,
    Pair,
    Reasoned,
    Shared,
    TableMapping,
    ValueMap,
)
from consolidate.mapping.load_expr import expression, expressions, required_expression, whole_seconds
from consolidate.mapping.load_finds import read_finds
from consolidate.mapping.load_references import read_store_references
from consolidate.mapping.load_rules import read_archive, read_filter, read_rejects, read_warns
from consolidate.mapping.yaml import (
    Entry,
    Mapping,
    Node,
    Problems,
    Sequence,
    known_keys,
    map_of,
    nearest,
    required_text,
    text_of,
    texts_of,
)

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
    "archive",
    "warn",
    "find",
    "references",
    "into",
)
_BLOCK_KEYS: Final = ("when", "per", "mark", "merge", "shared")


def read_table(root: Mapping, values: tuple[ValueMap, ...], problems: Problems) -> TableMapping | None:
    """What a table file says; None where it does not even name its table."""
    known_keys(root, _TABLE_KEYS, "a table file", problems)
    table = required_text(root, "from", "a table file", problems)
    key = texts_of(root.get("key"), "`key`", problems)
    if not key:
        problems.add("missing-key", "the table has no `key`", root.location, "add `key: [id]`")
    into = map_of(root.get("into"), "`into`", problems)
    archive = read_archive(root, problems)
    if (into is None or not into.entries) and root.get("archive") is None:
        problems.add("missing-key", "the table becomes nothing: `into` is missing", root.location, "add `into:`")
    if table is None:
        return None
    return TableMapping(
        table=str(table.text),
        key=tuple(str(part.text) for part in key),
        owner=_owner(root.get("bot"), problems),
        columns=_columns(root, problems),
        ignored=reasoned(root.get("ignore"), problems),
        carried=tuple(str(name.text) for name in texts_of(root.get("carry"), "`carry`", problems)),
        values=values,
        lets=_lets(root, problems),
        pair=_pair(root, problems),
        keep=_keep(root, problems),
        filter=read_filter(root, problems),
        rejects=read_rejects(root, problems),
        archive=archive,
        warns=read_warns(root, problems),
        finds=read_finds(root, problems),
        references=read_store_references(root, problems),
        blocks=(*(block for entry in into or () for block in _blocks(entry, problems)), *_archived(archive)),
        location=root.location,
    )


def _owner(node: Node | None, problems: Problems) -> Owner | None:
    """`bot: column`, or a map with `by`, `of` and `else`."""
    if not isinstance(node, Mapping):
        column = text_of(node, "`bot`", problems)
        if node is None or column is None:
            return None
        return Owner(by=(column,), of=None, default=False, location=node.location)
    known_keys(node, ("by", "of", "else"), "`bot`", problems)
    by = node.get("by")
    columns = texts_of(by, "`by`", problems) if isinstance(by, Sequence) else ()
    one = None if isinstance(by, Sequence) else required_text(node, "by", "`bot`", problems)
    otherwise = text_of(node.get("else"), "`else`", problems)
    if otherwise not in {None, "default"}:
        problems.add("bad-value", f"`else` is {otherwise!r}", node.location, "`else: default`, or leave it out")
    names = tuple(str(column.text) for column in (columns if one is None else (one,)))
    of = text_of(node.get("of"), "`of`", problems)
    return Owner(by=names, of=of, default=otherwise == "default", location=node.location) if names else None


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


def reasoned(node: Node | None, problems: Problems) -> tuple[Reasoned, ...]:
    """The names under `ignore`, with the reason why they are left out; a reason is required."""
    found = []
    for entry in map_of(node, "`ignore`", problems) or ():
        reason = text_of(entry.value, f"the reason for {entry.key!r}", problems)
        if reason is None or not reason.strip():
            problems.add("missing-reason", f"{entry.key!r} is left out without a reason", entry.location, "say why")
        found.append(Reasoned(name=entry.key, reason=reason or "", location=entry.location))
    return tuple(found)


def _lets(root: Mapping, problems: Problems) -> tuple[tuple[str, Expr], ...]:
    found = []
    for entry in map_of(root.get("let"), "`let`", problems) or ():
        value = expression(entry.value, f"`{entry.key}`", problems)
        if value is not None:
            found.append((entry.key, value))
    return tuple(found)


def _pair(root: Mapping, problems: Problems) -> Pair | None:
    node = map_of(root.get("pair"), "`pair`", problems)
    if node is None:
        return None
    known_keys(node, ("by", "at", "event", "open", "close"), "`pair`", problems)
    by = expressions(node.get("by"), "`by`", problems)
    at = required_expression(node, "at", "`pair`", problems)
    event = required_expression(node, "event", "`pair`", problems)
    opening = required_text(node, "open", "`pair`", problems)
    closing = required_text(node, "close", "`pair`", problems)
    if not by:
        problems.add("missing-key", "`pair` needs `by`", node.location, "add `by: [symbol]`")
    if at is None or event is None or opening is None or closing is None or not by:
        return None
    return Pair(by=by, at=at, event=event, open=str(opening.text), close=str(closing.text), location=node.location)


def _keep(root: Mapping, problems: Problems) -> Keep | None:
    node = map_of(root.get("keep"), "`keep`", problems)
    if node is None:
        return None
    known_keys(node, ("one_per", "last"), "`keep`", problems)
    one_per = expressions(node.get("one_per"), "`one_per`", problems)
    last = required_expression(node, "last", "`keep`", problems)
    if not one_per:
        problems.add("missing-key", "`keep` needs `one_per`", node.location, "add `one_per: [symbol]`")
    return None if last is None or not one_per else Keep(one_per=one_per, last=last, location=node.location)


def _archived(archive: Archive | None) -> tuple[Block, ...]:
    """The block that copies rows whole; its cells are filled in by themselves."""
    if archive is None:
        return ()
    return (
        Block(
            target=ARCHIVE,
            cells=(),
            when=archive.when,
            grouped=False,
            mark=None,
            merge=None,
            shared=None,
            location=archive.location,
        ),
    )


def _blocks(entry: Entry, problems: Problems) -> tuple[Block, ...]:
    if entry.key == ARCHIVE:
        hint = "write `archive: {reason: …}` for the table, or `archive: {when: …, reason: …}` for some of its rows"
        problems.add("bad-archive", f"{ARCHIVE} is not filled cell by cell", entry.location, hint)
        return ()
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
            value = expression(item.value, f"`{item.key}`", problems)
            if value is not None:
                cells.append(Cell(column=item.key, expr=value, location=item.location))
    return Block(
        target=target,
        cells=tuple(cells),
        when=expression(node.get("when"), "`when`", problems),
        grouped=per == "group",
        mark=expression(node.get("mark"), "`mark`", problems),
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
        seconds = whole_seconds(item.value, f"`{item.key}`", problems)
        agree.append((item.key, seconds or 0))
    replace = [
        (item.key, tuple(str(one.text) for one in texts_of(item.value, f"`{item.key}`", problems)))
        for item in map_of(node.get("replace"), "`replace`", problems) or ()
    ]
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
