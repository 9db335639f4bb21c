"""`consolidate scaffold`: read a store, draft its mapping, write the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.bundled import folder as bundled_folder
from consolidate.errors import Problem, UnreachableError, UsageError
from consolidate.mapping import yaml
from consolidate.scaffold.draft import Draft, draft
from consolidate.scaffold.place import place
from consolidate.scaffold.store import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from consolidate.model import Progress


def scaffold(
    source: str,
    into: Path,
    *,
    schema: str | None = None,
    environment: Mapping[str, str],
    observe: Callable[[Progress], None] = lambda _: None,
) -> Draft:
    """Draft the mapping of a store into the folder `into`, which is new or empty; the store is only read.

    Raises `UsageError` for a place that is none and a folder that holds something, `UnreachableError` for a store that
    cannot be read and a folder that cannot be written.
    """
    where = place(source, schema, environment)
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        hint = "name a folder that is not there yet: a draft never overwrites anything"
        raise UsageError(Problem(code="folder-not-empty", message=f"{into} is there already", hint=hint))
    found = draft(into.absolute().name, where, read(where, observe), shared_values())
    try:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in found.files.items():
            (into / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"{into} cannot be written: {error.strerror or error}"
        raise UnreachableError(Problem(code="unwritable-folder", message=message, hint="check its rights")) from None
    return found


def shared_values() -> dict[str, dict[str, str]]:
    """The value maps that every mapping can use: name, then old → new, in small letters."""
    root = yaml.read(bundled_folder("mappings") / "values.yaml", yaml.Problems())
    found: dict[str, dict[str, str]] = {}
    for entry in root or ():
        if isinstance(entry.value, yaml.Mapping):
            texts = {one.key.lower(): one.value for one in entry.value}
            found[entry.key] = {old: str(new.text) for old, new in texts.items() if isinstance(new, yaml.Scalar)}
    return found
