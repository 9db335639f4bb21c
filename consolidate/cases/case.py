"""A case as its folder says it: `case.yaml`, the store as text, and the rows that are expected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate.bundled import folder as bundled_folder
from consolidate.cases import expected
from consolidate.destination import EMBEDDED_PREFIX
from consolidate.errors import Problem, UsageError
from consolidate.fixtures import shown
from consolidate.mapping import yaml
from consolidate.project import VERSION, read_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consolidate.cases.outcome import Tables
    from consolidate.project import Project

FILE: Final = "case.yaml"
CASES: Final = "cases"
"""The folder beside the files of a mapping that holds its cases."""

_SYSTEM: Final = "system.yaml"
_KEYS: Final = ("about", "mapping", "source", "time_zone", "schema", "bot", "bots", "each_bot")
_OF_THE_SOURCE: Final = ("time_zone", "schema", "bot", "bots", "each_bot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case that was read whole. `name` is that of its mapping and its folder; `folder` holds the store.

    `project` has the case's one source, whose store is still to be named; none of its rejects refuses the run.
    """

    name: str
    file: Path
    folder: Path
    project: Project
    expected: Tables


def found(place: Path) -> tuple[Path, ...]:
    """The `case.yaml` files of a folder and all folders in it, in the order of their paths."""
    return tuple(sorted(file for file in place.rglob(FILE) if file.is_file()))


def shipped(system: str | None = None) -> tuple[Path, ...]:
    """The `case.yaml` files that come with the tool: of all systems, or of one."""
    fixtures = bundled_folder("fixtures")
    return found(fixtures if system is None else fixtures / system)


def called(file: Path, mapping: Path | None = None) -> str:
    """The name of a case, also of one that cannot be read: its mapping's, if that can be told, and its folder's."""
    place = mapping or _mapping_above(file.parent)
    above = file.parent.parent.name if place is None else place.name
    return f"{above}/{file.parent.name}"


def read(file: Path, mapping: Path | None = None) -> Case:
    """The case of a `case.yaml`. `mapping` is the folder to test in place of the one that the file names.

    Raises `UsageError` with all that is wrong with the file and with the expected rows; the mapping is read when the
    case is run.
    """
    problems = yaml.Problems()
    folder = file.parent
    root = yaml.read(file, problems, shown=shown(file))
    tables = expected.read(folder, shown(folder), problems)
    project = None if root is None else _project(root, file, mapping, problems)
    if problems or project is None:
        raise UsageError(*problems.found)
    place = project.sources[0].mapping
    return Case(
        name=called(file, place),
        file=file,
        folder=folder,
        project=project,
        expected=tables,
    )


def _project(root: yaml.Mapping, file: Path, mapping: Path | None, problems: yaml.Problems) -> Project | None:
    """The project that the case stands for; its store has a place that is none."""
    yaml.known_keys(root, _KEYS, FILE, problems)
    _require_no_variables(root, problems)
    tested = _tested(root, file, mapping, problems)
    if tested is None:
        return None
    named = yaml.text_of(root.get("source"), "`source`", problems) or tested.name
    where = (root.get("source") or root).location

    def entry(key: str, value: str) -> yaml.Entry:
        return yaml.Entry(key=key, value=yaml.Scalar(text=value, location=where), location=where)

    def grouped(*entries: yaml.Entry) -> yaml.Mapping:
        return yaml.Mapping(entries=entries, location=where)

    store = entry("path", ".") if root.get("schema") is None else entry("dsn", f"{EMBEDDED_PREFIX}{CASES}")
    written = [one for one in root if one.key in _OF_THE_SOURCE]
    fields = grouped(entry("mapping", str(tested).replace("$", "$$")), store, *written)
    sources = grouped(yaml.Entry(key=named, value=fields, location=where))
    version, all_ = entry("version", VERSION), yaml.Entry(key="sources", value=sources, location=where)
    return read_root(grouped(version, all_), file, problems)


def _tested(root: yaml.Mapping, file: Path, mapping: Path | None, problems: yaml.Problems) -> Path | None:
    """The folder of the mapping: the given one, the one that the file names, or the one that the case lies in."""
    written = root.get("mapping")
    text = yaml.text_of(written, "`mapping`", problems)
    if mapping is not None:
        return mapping
    if written is None or text is None:
        above = _mapping_above(file.parent)
        if above is None:
            problems.add(
                "missing-key",
                f"{FILE} names no mapping, and none is in a folder above it",
                root.location,
                "add `mapping: …`, the name of one that ships with consolidate or the path of a folder, or move the"
                f" case into the folder `{CASES}` of its mapping",
            )
        return above
    bundled = {place.name: place for place in bundled_folder("mappings").iterdir() if place.is_dir()}
    place = bundled.get(text, (file.parent / text).resolve())
    if (place / _SYSTEM).is_file():
        return place
    hint = yaml.nearest(text, bundled) or "write a path relative to the folder of this file"
    message = f"{text!r} is neither a mapping that comes with consolidate nor a folder with a {_SYSTEM}"
    problems.add("unknown-mapping", message, written.location, hint)
    return None


def _mapping_above(folder: Path) -> Path | None:
    return next((place for place in folder.resolve().parents if (place / _SYSTEM).is_file()), None)


def _require_no_variables(root: yaml.Mapping, problems: yaml.Problems) -> None:
    for node in _scalars(root):
        if "${" in (node.text or ""):
            hint = "write the value out: a case gives the same everywhere"
            problems.add("bad-variable", "a case has no variables", node.location, hint)


def _scalars(node: yaml.Node) -> Iterator[yaml.Scalar]:
    match node:
        case yaml.Scalar():
            yield node
        case yaml.Sequence(items=items):
            for item in items:
                yield from _scalars(item)
        case yaml.Mapping():
            for entry in node:
                yield from _scalars(entry.value)


def listed(mapping: str | None, cases: Path | None) -> tuple[tuple[Path, Path | None], ...]:
    """The cases that were asked for, each with the mapping to test in place of its own (None: its own).

    `mapping` is the name of one that ships, the folder of one, or a folder of cases; None: all that ship. `cases` is
    the folder of cases to use in place of the mapping's own. Raises `UsageError` where that gives no case.
    """
    files, tested = _asked(mapping, cases)
    if files:
        return tuple((file, tested) for file in files)
    where = cases or mapping
    raise UsageError(
        Problem(
            code="no-cases",
            message=f"there is no {FILE} in {where}",
            hint=f"a mapping has its cases in its folder `{CASES}`, or name their folder: `--cases DIR`",
        )
    )


def _asked(mapping: str | None, cases: Path | None) -> tuple[tuple[Path, ...], Path | None]:
    if mapping is None:
        return (shipped() if cases is None else found(_folder(cases))), None
    bundled = {place.name: place for place in bundled_folder("mappings").iterdir() if place.is_dir()}
    place = bundled.get(mapping, Path(mapping).resolve())
    if cases is not None:
        if not (place / _SYSTEM).is_file():
            raise _unknown(mapping, bundled)
        return found(_folder(cases)), place
    if mapping in bundled:
        return shipped(mapping), None
    if not place.is_dir():
        raise _unknown(mapping, bundled)
    own = place / CASES
    if (place / _SYSTEM).is_file():
        return (found(own) if own.is_dir() else ()), place
    return found(place), None


def _folder(cases: Path) -> Path:
    if cases.is_dir():
        return cases.resolve()
    hint = "name a folder with cases: `--cases DIR`"
    raise UsageError(Problem(code="no-such-folder", message=f"there is no folder {cases}", hint=hint))


def _unknown(mapping: str, bundled: dict[str, Path]) -> UsageError:
    hint = yaml.nearest(mapping, bundled) or f"known are: {', '.join(sorted(bundled))}; or the path of a folder"
    message = f"{mapping!r} is neither a mapping that comes with consolidate nor a folder of a mapping or of cases"
    return UsageError(Problem(code="unknown-mapping", message=message, hint=hint))
