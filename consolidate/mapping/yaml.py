"""YAML as located text: scalars, lists and maps that know their file, line and column. No type is guessed, ever."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from consolidate.errors import Location, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MAX_BYTES: Final = 200_000
_MAX_DEPTH: Final = 30
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE: Final = "<<"
_REFUSED_HINTS: Final = {"yaml-alias": "write the value out", "yaml-tag": "leave it out: every scalar is a text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A scalar as written. `text` None: null (nothing, `~` or `null`, all `plain`). `plain`: written without quotes.

    `blank`: nothing at all is written, not even `null`.
    """

    text: str | None
    location: Location
    plain: bool = True
    blank: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a map, with the place of the key."""

    key: str
    value: Node
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A map with its entries in the order of the file; every key is there once."""

    entries: tuple[Entry, ...]
    location: Location

    def get(self, key: str) -> Node | None:
        """The value of `key`; None where it is missing."""
        return next((entry.value for entry in self.entries if entry.key == key), None)

    def __iter__(self) -> Iterator[Entry]:
        """Go over the entries in the order of the file."""
        return iter(self.entries)


Node: TypeAlias = Scalar | Sequence | Mapping
"""Closed: match on it."""


class _Loader(yaml.BaseLoader):
    """Makes a text of every scalar. Anchors, aliases and tags are noted in `refused` and have no effect."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refused: list[tuple[str, str, Any]] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call] # the stubs say nothing of it
        is_alias = isinstance(event, yaml.AliasEvent)
        if event.anchor is not None:
            what = f"the alias *{event.anchor}" if is_alias else f"the anchor &{event.anchor}"
            self.refused.append(("yaml-alias", f"{what} is not allowed", event))
            event.anchor = None
        if is_alias:
            self.get_event()  # type: ignore[no-untyped-call] # as above
            start: Any = event.start_mark
            return yaml.ScalarNode("", "", start, start)
        if getattr(event, "tag", None) is not None:
            self.refused.append(("yaml-tag", f"the tag {event.tag} is not allowed", event))
            event.tag = None
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class Problems:
    """The problems of one check, collected so that all are shown at once."""

    def __init__(self) -> None:
        """Begin without any."""
        self._found: dict[Problem, None] = {}

    def add(self, code: str, message: str, location: Location | None, hint: str | None = None) -> None:
        """Note one problem."""
        self._found.setdefault(Problem(code=code, message=message, hint=hint, location=location))

    @property
    def found(self) -> tuple[Problem, ...]:
        """All problems, in the order of files and lines; those without a place last."""
        return tuple(sorted(self._found, key=_place))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._found)


def _place(problem: Problem) -> tuple[bool, str, int, int]:
    where = problem.location
    return (True, "", 0, 0) if where is None else (False, where.file, where.line, where.column or 0)


def read(path: Path, problems: Problems, *, shown: str | None = None) -> Mapping | None:
    """The map that the file holds; None, with problems noted, where it cannot be read as one.

    `shown` is how the file is called in locations; without it, its path. Any bytes give a map or located problems.
    """
    file = shown or str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        problems.add("unreadable-file", f"{file} cannot be read: {error.strerror or error}", None, "check the path")
        return None
    if len(raw) > _MAX_BYTES:
        problems.add("file-too-large", f"{file} has {len(raw)} bytes", None, f"stay below {_MAX_BYTES}")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add("not-utf8", f"{file} is not UTF-8", Location(file=file, line=line), "save it as UTF-8")
        return None
    return parse(text, file, problems)


def parse(text: str, file: str, problems: Problems) -> Mapping | None:
    """The map that `text` holds; as `read`."""
    before = len(problems)
    start = Location(file=file, line=1, column=1)
    loader = _Loader("")
    node: Node | None = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        node = None if root is None else _located(root, file, problems, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = start if mark is None else _at(file, mark)
        problems.add("invalid-yaml", f"not valid YAML: {error.problem or error.context}", where, _yaml_hint(error))
    except yaml.YAMLError as error:
        problems.add(
            "invalid-yaml", f"not valid YAML: {str(error).splitlines()[0]}", start, "save it as plain UTF-8 text"
        )
    except (RecursionError, ValueError) as error:
        problems.add("invalid-yaml", f"not readable as YAML: {type(error).__name__}", start, "nest it less deeply")
    else:
        if root is None:
            problems.add("empty-file", f"{file} is empty", start, "see mappings/README.md for what belongs there")
        elif not isinstance(node, Mapping):
            problems.add("not-a-map", f"{file} is not a map of keys", start, "begin with `key: value`")
    for code, message, event in loader.refused:
        problems.add(code, message, _at(file, event.start_mark), _REFUSED_HINTS[code])
    return node if len(problems) == before and isinstance(node, Mapping) else None


def _yaml_hint(error: yaml.MarkedYAMLError) -> str:
    if "tab" in str(error.problem) or "'\\t'" in str(error.problem):
        return "indent with blanks, not tabs"
    return "put texts with `:`, `#`, `{`, `[`, `&`, `*` or `!` in quotes, and check the indentation"


def _at(file: str, mark: yaml.Mark) -> Location:
    return Location(file=file, line=mark.line + 1, column=mark.column + 1)


def _located(node: yaml.Node, file: str, problems: Problems, depth: int) -> Node:
    where = _at(file, node.start_mark)
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(node, yaml.ScalarNode):
        text, plain = str(node.value), not node.style
        null = plain and text in _NULLS
        return Scalar(text=None if null else text, location=where, plain=plain, blank=plain and not text)
    if isinstance(node, yaml.SequenceNode):
        items = tuple(_located(item, file, problems, depth + 1) for item in node.value)
        return Sequence(items=items, location=where)
    if not isinstance(node, yaml.MappingNode):
        raise TypeError(type(node).__name__)
    return _map(node, file, problems, depth)


def _map(node: yaml.MappingNode, file: str, problems: Problems, depth: int) -> Mapping:
    entries: list[Entry] = []
    first: dict[str, Location] = {}
    for key_node, value_node in node.value:
        where = _at(file, key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode) or (not key_node.style and key_node.value == _MERGE):
            problems.add("bad-key", "a key must be plain text", where, "merge keys (`<<`) are not allowed either")
            continue
        key = str(key_node.value)
        value = _located(value_node, file, problems, depth + 1)
        if key in first:
            problems.add("duplicate-key", f"the key {key!r} is already there in line {first[key].line}", where)
            continue
        first[key] = where
        entries.append(Entry(key=key, value=value, location=where))
    return Mapping(entries=tuple(entries), location=_at(file, node.start_mark))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the known name most like `name`; None where none is like it."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def known_keys(node: Mapping, known: Iterable[str], what: str, problems: Problems) -> None:
    """Note every key of `node` that is not `known`; `what` says of what it is a key."""
    names = tuple(known)
    for entry in node:
        if entry.key not in names:
            hint = nearest(entry.key, names) or f"known are: {', '.join(names)}"
            problems.add("unknown-key", f"{entry.key!r} is no key of {what}", entry.location, hint)


def text_of(node: Node | None, what: str, problems: Problems) -> str | None:
    """The text of a scalar; None where it is missing or null; a problem where it is a list or a map."""
    match node:
        case None:
            return None
        case Scalar(text=text):
            return text
        case _:
            problems.add("not-a-text", f"{what} must be a text", node.location)
            return None


def required_text(node: Mapping, key: str, what: str, problems: Problems) -> Scalar | None:
    """The scalar under `key`; a problem where it is missing or null."""
    value = node.get(key)
    if isinstance(value, Scalar) and value.text is not None:
        return value
    where = node.location if value is None else value.location
    problems.add("missing-key", f"{what} needs a text under {key!r}", where, f"add `{key}: …`")
    return None


def texts_of(node: Node | None, what: str, problems: Problems) -> tuple[Scalar, ...]:
    """The scalars of a list of texts; none where it is missing."""
    match node:
        case None | Scalar(text=None):
            return ()
        case Sequence(items=items) if all(isinstance(item, Scalar) and item.text is not None for item in items):
            return tuple(item for item in items if isinstance(item, Scalar))
        case _:
            problems.add("not-a-list", f"{what} must be a list of texts", node.location, "write `[a, b]`")
            return ()


def map_of(node: Node | None, what: str, problems: Problems) -> Mapping | None:
    """The map; None where it is missing or null; a problem where it is something else."""
    match node:
        case None | Scalar(text=None):
            return None
        case Mapping():
            return node
        case _:
            problems.add("not-a-map", f"{what} must be a map of keys", node.location, "write `key: value`")
            return None
