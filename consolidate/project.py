"""The project file: which sources, whose bots, what target. The only reader of the environment.

Variables are filled in here; what they hold is in no message, and in no `repr` of what this returns.
"""

from __future__ import annotations

import hashlib
import os
import re
import zoneinfo
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder as bundled_folder
from consolidate.errors import Location, Problem, UsageError
from consolidate.mapping import yaml
from consolidate.model import RejectCode
from consolidate.project_bots import Attribute, Bot, Configuration, RowBot, RowBots, bots_of
from consolidate.project_values import Reading, Text, passwords, shortened, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Attribute",
    "Bot",
    "Configuration",
    "Examined",
    "Project",
    "ProjectSource",
    "RowBot",
    "RowBots",
    "environment",
    "examine",
    "load",
    "read_root",
]

DEFAULT_FILE: Final = "consolidate.yaml"
VERSION: Final = "1"

_KEYS: Final = ("version", "target", "sources", "limits", "evidence")
_EVIDENCE: Final = ("full", "digests")
_SOURCE_KEYS: Final = ("mapping", "dsn", "path", "schema", "time_zone", "bot", "bots", "each_bot")
_SOURCE_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_URI: Final = re.compile(r"postgres(ql)?://")
_EMBEDDED: Final = re.compile(r"embedded:[a-z_][a-z0-9_]{0,62}")  # a database of the embedded server, as a source
_PARAMETER: Final = re.compile(r"\s*[a-z_]+\s*=")
_NOT_A_ZONE: Final = re.compile(r"(posix|right)/.*|localtime|posixrules|Factory")
_MOST_REJECTS: Final = 2**63 - 1
_MAX_BYTES: Final = 1_000_000
_LONGEST_SCHEMA: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSource:
    """One legacy store. `mapping` is a folder that exists; `path` is absolute and may be a folder, a file or a glob.

    Exactly one of `dsn` and `path` is there. `time_zone` is the IANA name of a zone that exists. `row_bots`: the
    mapping makes bots of rows, and `bots` is at most the one for rows that do not say whose they are.
    """

    name: str
    mapping: Path
    dsn: str | None = field(default=None, repr=False)
    path: Path | None = field(default=None, repr=False)
    schema: str | None = None
    time_zone: str | None = None
    bots: tuple[Bot, ...]
    row_bots: RowBots | None = None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project file as a value; see `load`.

    `target` is a connection string (None: the embedded PostgreSQL). `full_evidence`: runs keep the rows they read, not
    their digests alone. `digest` is the SHA-256, in hex, of the file's
    text before variables are filled in. `filled_in` are the texts that came from variables, longest first: whoever
    prints something that may hold one strikes it out.
    """

    file: Path
    folder: Path
    target: str | None = field(default=None, repr=False)
    sources: tuple[ProjectSource, ...]
    max_rejects: int = 0
    accept: tuple[RejectCode, ...] = ()
    full_evidence: bool = True
    digest: str
    filled_in: tuple[str, ...] = field(default=(), repr=False)

    @property
    def state_folder(self) -> Path:
        """Where everything of ours is kept: runs, and the embedded PostgreSQL."""
        return self.folder / ".consolidate"

    @property
    def connection_strings(self) -> tuple[str, ...]:
        """Those of the target and the sources, and the passwords that can be told in them: nobody may see them."""
        strings = (self.target or "", *(source.dsn or "" for source in self.sources))
        found = [secret for text in strings for secret in (text, *passwords(text)) if secret]
        return tuple(sorted(set(found), key=len, reverse=True))

    def source(self, name: str) -> ProjectSource:
        """The source of that name; raises `UsageError` with the nearest name where there is none."""
        for source in self.sources:
            if source.name == name:
                return source
        names = [source.name for source in self.sources]
        hint = yaml.nearest(name, names) or f"known are: {', '.join(names)}"
        raise UsageError(Problem(code="unknown-source", message=f"{name!r} is no source of {self.file}", hint=hint))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What can be said about a project file that may be wrong.

    `project` has every source whose mapping and bots can be told, with harmless values in place of wrong ones, so that
    their mappings can be checked all the same; it must not be run unless `problems` is empty. None: not even that.
    """

    project: Project | None
    problems: tuple[Problem, ...]


def load(file: Path, environment: Mapping[str, str] | None = None) -> Project:
    """The project of the file, whole and checked, without a look at any source or target.

    `environment` replaces that of the process. Raises `UsageError` with all that is wrong, each problem with its place.
    """
    examined = examine(file, environment)
    if examined.project is None or examined.problems:
        raise UsageError(*examined.problems)
    return examined.project


def examine(file: Path, environment: Mapping[str, str] | None = None) -> Examined:
    """As `load`, with the problems as a value and what can be had of the project beside them."""
    problems = yaml.Problems()
    text = _text(file, problems)
    root = None if text is None else yaml.parse(text, str(file), problems)
    if text is None or root is None:
        return Examined(project=None, problems=problems.found)
    variables = os.environ if environment is None else environment
    reading = Reading(variables, problems)
    project = _project(root, file, hashlib.sha256(text.encode()).hexdigest(), reading, variables.get("HOME"))
    return Examined(project=project, problems=problems.found)


def environment() -> Mapping[str, str]:
    """The variables of the process, for what is no project file and may name some."""
    return os.environ


def read_root(root: yaml.Mapping, file: Path, problems: yaml.Problems) -> Project:
    """The project that a map says which is not the text of `file`, but stands for it; it has no variables."""
    return _project(root, file, "", Reading({}, problems), None)


def _text(file: Path, problems: yaml.Problems) -> str | None:
    try:
        raw = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        hint = f"`consolidate init` writes a {DEFAULT_FILE}; `-c FILE` names another one"
        problems.add("no-project-file", f"there is no project file {file}", None, hint)
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        problems.add("unreadable-file", f"{file} cannot be read: {reason}", None, "check the path and its rights")
        return None
    if len(raw) > _MAX_BYTES:
        problems.add("file-too-large", f"{file} has {len(raw)} bytes", None, f"stay below {_MAX_BYTES}")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add("not-utf8", f"{file} is not UTF-8", Location(file=str(file), line=line), "save it as UTF-8")
        return None


def _project(root: yaml.Mapping, file: Path, digest: str, reading: Reading, home: str | None) -> Project:
    yaml.known_keys(root, _KEYS, "the project file", reading.problems)
    version = reading.required(root, "version", "the project file")
    if version is not None and version.value != VERSION:
        message = f"{version.shown} is no version of the project file that this consolidate knows"
        reading.wrong("bad-version", message, version.location, f"write `version: {VERSION}`")
    folder = Path(os.path.abspath(file)).parent  # noqa: PTH100 - a link stays a link
    target = _target(root, reading)
    sources = _sources(root, _Places(folder=folder, home=home), reading)
    _unique_ids(sources, reading)
    max_rejects, accept = _limits(root, reading)
    return Project(
        file=file,
        folder=folder,
        target=target,
        sources=sources,
        max_rejects=max_rejects,
        accept=accept,
        full_evidence=_full_evidence(root, reading),
        digest=digest,
        filled_in=tuple(sorted(reading.filled_in, key=len, reverse=True)),
    )


def _target(root: yaml.Mapping, reading: Reading) -> str | None:
    node = root.get("target")
    if node is None:
        return None
    text = reading.required(root, "target", "the project file", secret=True)
    if text is None or text.value == "embedded":
        return None
    return _dsn(text, "the target", reading)


def _dsn(text: Text, what: str, reading: Reading, *, source: bool = False) -> str | None:
    """A connection string, as far as can be told without the driver."""
    if _URI.match(text.value) or _PARAMETER.match(text.value) or (source and _EMBEDDED.fullmatch(text.value)):
        return text.value
    message = f"{what} is no PostgreSQL connection string; it is not shown, because it may hold a password"
    hint = "write `postgresql://user:password@host:5432/database`, best as `${VARIABLE}`"
    reading.wrong("bad-connection-string", message, text.location, hint)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """What paths are relative to."""

    folder: Path
    home: str | None

    def absolute(self, text: str) -> Path | None:
        """The path, made absolute; None where its `~` means nobody."""
        if text == "~" or text.startswith("~/"):
            return Path(self.home or Path.home(), text[2:])
        try:
            return Path(os.path.normpath(self.folder / Path(text).expanduser()))
        except RuntimeError:
            return None


def _full_evidence(root: yaml.Mapping, reading: Reading) -> bool:
    """Whether runs keep the rows they read (`full`, the default), or their digests alone."""
    node = root.get("evidence")
    text = reading.text(node, "evidence")
    if node is None or text is None:
        return True
    if text.value not in _EVIDENCE:
        hint = text.nearest(_EVIDENCE)
        reading.wrong("bad-value", f"evidence is {text.shown}", node.location, hint)
    return text.value != "digests"


def _sources(root: yaml.Mapping, places: _Places, reading: Reading) -> tuple[ProjectSource, ...]:
    node = root.get("sources")
    hint = "add `sources:` with a name, a mapping and a place for each store"
    if node is None:
        reading.wrong("missing-key", "the project file has no sources", root.location, hint)
        return ()
    named = reading.fields(node, "sources", hint)
    seen: dict[str, yaml.Entry] = {}
    found: list[ProjectSource] = []
    for entry in named or ():
        first = seen.setdefault(entry.key.casefold(), entry)
        if not _SOURCE_NAME.fullmatch(entry.key) or set(entry.key) == {"."}:
            hint = "use 1 to 60 letters, digits, `_`, `-` and `.`"
            reading.wrong("bad-source-name", f"{shortened(entry.key)} cannot name a source", entry.location, hint)
        elif first is not entry:
            message = f"the source {entry.key!r} has the name of {first.key!r} in line {first.location.line}"
            reading.wrong("duplicate-source", message, entry.location, "letter case makes no difference")
        hint = "write `mapping: …`, `path: …` and `bot: …` below it"
        fields = reading.fields(entry.value, f"source {shortened(entry.key)}", hint)
        source = None if fields is None else _source(entry, fields, places, reading)
        found += [] if source is None else [source]
    return tuple(found)


def _source(entry: yaml.Entry, node: yaml.Mapping, places: _Places, reading: Reading) -> ProjectSource | None:
    what = f"source {shortened(entry.key)}"
    yaml.known_keys(node, _SOURCE_KEYS, what, reading.problems)
    mapping = _mapping(node, what, places, reading)
    dsn, path = _store(node, what, places, reading)
    schema = _schema(node, what, reading)
    time_zone = _time_zone(node, what, reading)
    bots, row_bots = bots_of(mapping, node, what, reading)
    if mapping is None or not (bots or row_bots):
        return None
    return ProjectSource(
        name=entry.key,
        mapping=mapping,
        dsn=dsn,
        path=path,
        schema=schema,
        time_zone=time_zone,
        bots=bots,
        row_bots=row_bots,
        location=entry.location,
    )


def _mapping(node: yaml.Mapping, what: str, places: _Places, reading: Reading) -> Path | None:
    """The folder: that of a bundled mapping by its name, else one relative to the project file."""
    text = reading.required(node, "mapping", what)
    if text is None:
        return None
    bundled = {path.name: path for path in bundled_folder("mappings").iterdir() if path.is_dir()}
    if text.value in bundled:
        return bundled[text.value]
    path = places.absolute(text.value)
    if path is not None and path.is_dir():
        return path
    names = sorted(bundled)
    hint = f"{text.nearest(names)}; or a path to a folder of your own" if names else "write the path of a folder"
    message = f"{text.shown} is neither a mapping that comes with consolidate nor a folder"
    reading.wrong("unknown-mapping", message, text.location, hint)
    return None


def _store(node: yaml.Mapping, what: str, places: _Places, reading: Reading) -> tuple[str | None, Path | None]:
    """The place of the store. Where it is wrong, one that is empty, so that the mapping can be checked all the same."""
    dsn, path = node.get("dsn"), node.get("path")
    if dsn is not None and path is not None:
        hint = "a PostgreSQL source has a `dsn`, every other a `path`"
        reading.wrong("dsn-and-path", f"{what} has both `dsn` and `path`", path.location, hint)
        return None, None
    if dsn is not None:
        text = reading.required(node, "dsn", what, secret=True)
        return (None if text is None else _dsn(text, f"the dsn of {what}", reading, source=True)) or "", None
    if path is None:
        hint = "add `dsn: ${…}` for PostgreSQL, or `path: …` for a file, a folder or a glob"
        reading.wrong("missing-key", f"{what} says no place", node.location, hint)
        return None, None
    text = reading.required(node, "path", what, secret=True)
    if text is None:
        return None, places.folder
    if "://" in text.value:
        message = f"the path of {what} is a connection string; it is not shown, because it may hold a password"
        reading.wrong("bad-path", message, text.location, "write it under `dsn`")
        return None, places.folder
    found = places.absolute(text.value)
    if found is None:
        reading.wrong("bad-path", f"the path of {what} begins with the `~` of nobody", text.location, "write it out")
    return None, found or places.folder


def _schema(node: yaml.Mapping, what: str, reading: Reading) -> str | None:
    found = node.get("schema")
    if found is None:
        return None
    text = reading.required(node, "schema", what)
    if text is not None and len(text.value.encode()) > _LONGEST_SCHEMA:
        message = f"the schema {text.shown} of {what} has more than {_LONGEST_SCHEMA} bytes"
        reading.wrong("bad-value", message, text.location, "no PostgreSQL schema has such a name")
    if node.get("dsn") is None:
        reading.wrong("bad-value", f"{what} has a schema, but no dsn", found.location, "only PostgreSQL has schemas")
    return None if text is None else text.value


def _time_zone(node: yaml.Mapping, what: str, reading: Reading) -> str | None:
    if node.get("time_zone") is None:
        return None
    text = reading.required(node, "time_zone", what)
    if text is None:
        return "UTC"
    if _zone_exists(text.value):
        return text.value
    nearest = None if text.substituted else yaml.nearest(text.value, zoneinfo.available_timezones())
    hint = nearest or "write an IANA name such as `Europe/London` or `UTC`"
    reading.wrong("unknown-time-zone", f"there is no time zone {text.shown}", text.location, hint)
    return "UTC"


def _zone_exists(name: str) -> bool:
    """Whether it is a zone everywhere: names that mean another zone on each machine, or leap seconds, are none."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return _NOT_A_ZONE.fullmatch(name) is None


def _unique_ids(sources: tuple[ProjectSource, ...], reading: Reading) -> None:
    first: dict[str, tuple[str, Bot]] = {}
    for source in sources:
        for bot in source.bots:
            name, earlier = first.setdefault(bot.id, (source.name, bot))
            if earlier is not bot:
                message = f"the bot id {bot.shown_id} of source {source.name!r} is that of source {name!r} already"
                hint = f"each bot has an id of its own; the other is at {earlier.location}"
                reading.wrong("duplicate-bot-id", message, bot.location, hint)


def _limits(root: yaml.Mapping, reading: Reading) -> tuple[int, tuple[RejectCode, ...]]:
    limits = yaml.map_of(root.get("limits"), "limits", reading.problems)
    if limits is None:
        return 0, ()
    yaml.known_keys(limits, ("max_rejects", "accept"), "limits", reading.problems)
    text = reading.text(limits.get("max_rejects"), "max_rejects")
    most = 0 if text is None else whole(text, "max_rejects", reading, highest=_MOST_REJECTS)
    accept: dict[RejectCode, None] = {}
    for scalar in yaml.texts_of(limits.get("accept"), "accept", reading.problems):
        code = reading.text(scalar, "accept")
        if code is not None and code.value in set(RejectCode):
            accept[RejectCode(code.value)] = None
        elif code is not None:
            reading.wrong("unknown-code", f"{code.shown} is no reject code", code.location, code.nearest(RejectCode))
    return most or 0, tuple(accept)
