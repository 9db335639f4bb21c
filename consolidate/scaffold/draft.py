"""A draft as files: `system.yaml` and a YAML file a table. Pure.

Every line that is a guess or a question ends in (or is) a comment that begins with `# ?`; the others are certain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.cases.expected import scalar
from consolidate.scaffold.match import Matched, matched, usable
from consolidate.scaffold.types import OPEN, Typed, typed
from consolidate.scaffold.words import TABLES
from consolidate.target.identity import CANDLES, SHARED_VALUES, identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from consolidate.model import SnapshotTable
    from consolidate.scaffold.facts import TableFacts
    from consolidate.scaffold.place import Place
    from consolidate.scaffold.store import Store

MARK: Final = "# ?"

_TODO: Final = "TODO say why nobody needs it, or map it"
_COLUMN: Final = 46
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The files of a draft by name. `mapped`: source table → unified table; `questions`: how many lines are marked."""

    files: dict[str, str]
    mapped: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]

    @property
    def questions(self) -> int:
        """How many lines are guesses or questions."""
        return sum(line.count(MARK) > 0 for text in self.files.values() for line in text.splitlines()[_HEAD:])


_HEAD: Final = 2  # lines that may say what the mark means


def draft(name: str, place: Place, store: Store, shared: Mapping[str, Mapping[str, str]]) -> Draft:
    """The draft of a mapping called `name`. Every table and column of the store is in it."""
    files: dict[str, str] = {}
    mapped: list[tuple[str, str]] = []
    ignored = list(store.others)
    snapshots: list[SnapshotTable] = []
    has_clocks = False
    for table in store.tables:
        columns = tuple(typed(column, place.kind) for column in table.columns if not _is_list(table, column.name))
        found = matched(table, columns, shared)
        if found is None or not _is_file_name(table.name):
            ignored.append(table.name if table.snapshot is None else _part(table.snapshot, store))
            continue
        files[f"{table.name}.yaml"] = "\n".join(_table(table, columns, found)) + "\n"
        mapped.append((table.name, found.target.name))
        snapshots += [] if table.snapshot is None else [table.snapshot]
        has_clocks = has_clocks or any(one.type is None for one in columns)
    order = {target: number for number, target in enumerate(TABLES)}
    mapped.sort(key=lambda one: order[one[1]])
    head = _head(name, place, has_clocks=has_clocks)
    rest = _lists([one for one, _ in mapped], tuple(dict.fromkeys(ignored)), snapshots)
    system = "\n".join((*head, *rest)) + "\n"
    return Draft(files={"system.yaml": system, **files}, mapped=tuple(mapped), ignored=tuple(dict.fromkeys(ignored)))


def _is_file_name(name: str) -> bool:
    return re.fullmatch(r"[\w. -]+", name) is not None and name not in {"system", ".", ".."}


def _part(snapshot: SnapshotTable, store: Store) -> str:
    """How `ignore` calls what a table of files would read: the files, or members of them where others are read."""
    if snapshot.rows is not None:
        return f"{snapshot.files}#{snapshot.rows}"
    siblings = [one for one in store.tables if one.snapshot is not None and one.snapshot.files == snapshot.files]
    return snapshot.files if len(siblings) == 1 else f"{snapshot.files}#*"


def _is_list(table: TableFacts, column: str) -> bool:
    return any(column == member for member, _ in table.lists)


def _head(name: str, place: Place, *, has_clocks: bool) -> Iterator[str]:
    yield f"# Drafted by `consolidate scaffold` from {_plain_line(place.shown)}."
    yield f"# A line with `{MARK}` is a guess or an open question: settle it, then take the mark away."
    yield "# `consolidate check` reports what is open. Tables are transformed in the order in which they stand here."
    yield f"system: {scalar(name)}"
    yield f"kind: {place.kind}"
    if place.schema is not None:
        yield f"schema: {scalar(place.schema)}"
    if has_clocks:
        yield _asked(
            "time_zone: required", "if a column holds local times; the project file then says of which zone", 0
        )
    yield "bot:"
    yield f"  bot_name: {scalar(name)}"
    yield _asked("bot_type: …", "what kind of bot it is, in a word", 2)
    yield _asked("strategy_name: …", "what its strategy is called", 2)


def _lists(tables: list[str], ignored: tuple[str, ...], snapshots: list[SnapshotTable]) -> Iterator[str]:
    listed = ", ".join(map(_quoted, tables))
    yield _noted(f"tables: [{listed}]", None if tables else "no table looks like one of the unified schema")
    if ignored:
        yield "ignore:"
    for one in ignored:
        yield _noted(f"  {_quoted(one)}: {_TODO}", "it looks like no unified table")
    if snapshots:
        yield "snapshots:"
    for table in snapshots:
        rows = "" if table.rows is None else f", rows: {_quoted(table.rows)}"
        guess = None if "*" not in table.files else "do all these files belong together?"
        yield _noted(f"  {table.name}: {{files: {_quoted(table.files)}, format: {table.format}{rows}}}", guess)


def _table(table: TableFacts, columns: tuple[Typed, ...], found: Matched) -> Iterator[str]:
    open_ = {cell.source for cell in found.cells if cell.is_open}
    yield f"# {table.name}: {table.rows} rows when this was drafted. A line with `{MARK}` is a guess or a question."
    yield "# Doubles are rounded to the decimals of the target; the report of a run counts where that changed a value."
    first = (f"from: {_quoted(table.name)}", _key(table, columns))
    # What is wrong with a key is told of the first line of its file.
    yield from reversed(first) if not table.key or _undecided(table, columns) else first
    for one in columns:
        if one.column.name.lower() in {"bot", "bot_id", "bot_name", "mode", "account", "agent"} and one.column.distinct:
            yield _asked(
                f"bot: {one.column.name}", f"does it say whose row it is? It has {_few(one.column.distinct)}", 0
            )
    yield "columns:"
    for one in columns:
        note = "see the question about it under `into`" if one.column.name in open_ else None
        yield _noted(f"  {_quoted(one.column.name)}: {one.written}", one.note or note)
    if table.lists:
        yield "ignore:"
    for member, name in table.lists:
        yield f"  {_quoted(member)}: its entries are the rows of the table {name}"
    yield from _carry(table, columns, found)
    if found.values:
        yield "values:"
    for name, rows in found.values:
        yield f"  {name}:" if rows else _noted(f"  {name}: {{}}", "list its values")
        for old, new in rows:
            yield _noted(
                f"    {_quoted(old)}: {_quoted(OPEN if new is None else new)}", None if new else "what does it mean?"
            )
    yield "into:"
    yield from _rules(found)


def _carry(table: TableFacts, columns: tuple[Typed, ...], found: Matched) -> Iterator[str]:
    elsewhere = {*found.used, *table.key}
    # One whose type is open is not declared yet, and can be carried when it is.
    carried = [one for one in columns if one.column.name not in elsewhere and one.type is not None]
    if carried:
        yield "carry:"
    for one in carried:
        yield _noted(f"- {_quoted(one.column.name)}", _carried(one))


def _rules(found: Matched) -> Iterator[str]:
    asked = [f"{', '.join(found.required)}: required"] if found.required else []
    doubts = [*asked, *([found.guess] if found.guess else [])]
    yield _noted(f"  {found.target.name}:", "; ".join(doubts) or None)
    live = {cell.target for cell in found.cells if not cell.question}
    if found.target.name == CANDLES:
        by = identity(found.target).key
        note = None if live.issuperset((*by, *SHARED_VALUES)) else "once all of these have a rule"
        yield _noted(f"    shared: {{by: [{', '.join(by)}], same: [{', '.join(SHARED_VALUES)}]}}", note)
    for cell in found.cells:
        rule = f"{cell.target}: {cell.rule}"
        yield _asked(rule, cell.question or "", 4) if cell.is_open else _noted(f"    {rule}", cell.question)
    said = {cell.target for cell in found.cells}
    for name in found.required:
        if name not in said:
            yield _asked(f"{name}: …", "required", 4)


def _key(table: TableFacts, columns: tuple[Typed, ...]) -> str:
    if not table.key:
        return _noted(f'key: ["{OPEN}"]', "which columns identify a row? No three of them do")
    undecided = _undecided(table, columns)
    is_sure = len(table.key) == 1 and table.key[0].lower() in {"id", "uuid", f"{table.name.lower().rstrip('s')}_id"}
    note = None if is_sure and table.rows > 1 else f"no two of the {table.rows} rows agree in it; is it always so?"
    if undecided:
        note = f"as long as the type of {', '.join(undecided)} is open"
    return _noted(f"key: [{', '.join(map(_quoted, table.key))}]", note)


def _undecided(table: TableFacts, columns: tuple[Typed, ...]) -> list[str]:
    """The columns of the key whose type is open."""
    return [one.column.name for one in columns if one.type is None and one.column.name in table.key]


def _carried(one: Typed) -> str:
    if not usable(one.column.name):
        return "no expression can name it"
    span = "" if one.column.minimum is None else f"; {_few((one.column.minimum, one.column.maximum or ''))}"
    return f"no column of the target is called so{span}"


def _few(values: Sequence[str]) -> str:
    shown = ", ".join(_plain(value) for value in values[:4])
    return f"{shown}, …" if len(values) > 4 else shown  # noqa: PLR2004


def _plain(value: str) -> str:
    text = "".join(character if character.isprintable() else "·" for character in value)
    return text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004


def _quoted(text: str) -> str:
    """As YAML within a list or a map."""
    if _WORD.fullmatch(text):
        return text
    written = scalar(text)
    return f"'{text}'" if written == text else written


def _asked(line: str, question: str, indent: int) -> str:
    """A line that decides nothing until its mark is taken away."""
    return f"{' ' * indent}{f'{MARK} {line}':{_COLUMN - indent}} # {_plain_line(question)}"


def _noted(line: str, note: str | None) -> str:
    return line if note is None else f"{line:{_COLUMN}} {MARK} {_plain_line(note)}"


def _plain_line(note: str) -> str:
    return "".join(character if character.isprintable() else "·" for character in note)
