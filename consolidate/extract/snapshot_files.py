"""The files of a snapshot source: which there are, which table each belongs to, and their text, read once."""

from __future__ import annotations

import codecs
import glob
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consolidate.errors import Location, Problem, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consolidate.model import ExtractRequest, SnapshotTable

_WIDE: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAGIC: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """One file as it was found: its `name` is relative to the source's folder, `stamp` its size and time of change."""

    path: Path
    name: str
    stamp: tuple[int, int]

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stamp[0]


def found(request: ExtractRequest) -> tuple[SnapshotFile, ...]:
    """All files of the source, sorted by name: those directly in its folder, its one file, or what its glob matches.

    Hidden files (a dot first) are left out of a folder. Raises `UnreachableError` where there is no such path or no
    file.
    """
    path = request.path
    if path is None:
        raise broken(request.source, "no-path", "no path is given", "add `path:` to the source")
    try:
        if path.is_dir():
            base, paths = path, [each for each in path.iterdir() if not each.name.startswith(".")]
        elif path.is_file():
            base, paths = path.parent, [path]
        else:
            base = _base(path)
            paths = [Path(each) for each in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - an absolute pattern
        files = tuple(
            SnapshotFile(path=each, name=each.relative_to(base).as_posix(), stamp=_stamp(each))
            for each in paths
            if each.is_file()
        )
    except OSError as error:
        raise _unreadable(request.source, path, error) from error
    if not files:
        raise broken(
            request.source,
            "no-snapshot-found",
            f"no snapshot found: there is no file at {path}",
            "correct `path:` of the source, or put the bot's files there",
        )
    return tuple(sorted(files, key=lambda file: file.name))


def folders_beside(request: ExtractRequest) -> tuple[tuple[str, int], ...]:
    """The folders inside the source's folder, which are not read, and how many files each holds at any depth."""
    if request.path is None or not request.path.is_dir():
        return ()
    inside = (each for each in sorted(request.path.iterdir()) if each.is_dir() and not each.name.startswith("."))
    return tuple((each.name + "/", sum(1 for file in each.rglob("*") if file.is_file())) for each in inside)


def matching(files: Sequence[SnapshotFile], table: SnapshotTable) -> tuple[SnapshotFile, ...]:
    """The files that `table` is read from, in the order of their names."""
    return tuple(file for file in files if fnmatchcase(file.path.name, table.files))


def text_of(source: str, file: SnapshotFile) -> str:
    """The whole text of a file, without its byte order mark.

    Raises `UnreachableError` where it is no UTF-8 or was changed since it was found.
    """
    try:
        raw = file.path.read_bytes()
    except OSError as error:
        raise _unreadable(source, file.path, error) from error
    refuse_changed(source, (file,))
    wide = raw.startswith(_WIDE) or (raw[:2].count(0) == 1 and raw[:4].count(0) > 1)
    if wide:
        raise broken(
            source,
            "not-utf-8",
            f"{file.path} is UTF-16 or UTF-32; UTF-8 is needed",
            f"convert it: iconv -f UTF-16 -t UTF-8 {file.path.name}",
        )
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise broken(
            source,
            "not-utf-8",
            f"{file.path}:{line}:{column} byte {raw[error.start]:#04x} is not UTF-8",
            "convert the file to UTF-8, or take it from the bot again",
            location=Location(file=str(file.path), line=line, column=column),
        ) from error


def refuse_changed(source: str, files: Iterable[SnapshotFile]) -> None:
    """Raise `UnreachableError` where a file is no longer as it was found: the bot wrote while it was read."""
    for file in files:
        try:
            unchanged = _stamp(file.path) == file.stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise broken(
                source,
                "changed-while-read",
                f"{file.path} was changed while it was read",
                "run again; nothing was loaded",
            )


def broken(source: str, code: str, message: str, hint: str, *, location: Location | None = None) -> UnreachableError:
    """An error about a snapshot of `source`."""
    return UnreachableError(Problem(code=code, message=f"source {source}: {message}", hint=hint, location=location))


def _base(pattern: Path) -> Path:
    literal: list[str] = []
    for part in pattern.parts[:-1]:
        if _MAGIC & set(part):
            break
        literal.append(part)
    return Path(*literal)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _unreadable(source: str, path: Path, error: OSError) -> UnreachableError:
    return broken(source, "snapshot-unreadable", f"{path} cannot be read: {error.strerror}", "check the permissions")
