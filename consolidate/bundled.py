"""Where the folders that ship with the tool are: `mappings`, `sql`, `fixtures`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder(name: str) -> Path:
    """The folder `name` ("mappings", "sql" or "fixtures"): in the package of a wheel, else in the checkout.

    Guarantees a path that exists; raises `FileNotFoundError` naming both places where neither has it: a broken
    installation.
    """
    places = (_PACKAGE / "bundled" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    message = f"neither {places[0]} nor {places[1]} exists: reinstall consolidate"
    raise FileNotFoundError(message)


@cache
def statement(name: str) -> bytes:
    """The text of the static SQL file `name` below `sql/`, without its suffix ("schema/columns"), ready to execute."""
    return (folder("sql") / f"{name}.sql").read_bytes()
