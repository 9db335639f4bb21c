"""The project file that `consolidate init` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate.bundled import folder as bundled_folder
from consolidate.errors import Problem, UsageError
from consolidate.project import DEFAULT_FILE

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, *, force: bool = False) -> Path:
    """Write the file into the folder, which is made if it is missing, and return its path.

    Raises `UsageError` where there is one already, unless `force`d.
    """
    file = folder / DEFAULT_FILE
    text = (bundled_folder("mappings") / "project.yaml").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        place, hint = (file, "`--force` overwrites it") if folder.is_dir() else (folder, "name a folder")
        raise UsageError(Problem(code="file-exists", message=f"{place} is there already", hint=hint)) from None
    return file
