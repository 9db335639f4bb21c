"""What the tests of the three Alpha systems share: the defects that `fixtures/README.md` names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from consolidate.bundled import folder
from consolidate.model import RejectCode

SYSTEMS: Final = ("lxalgo", "momentum", "shortseller")
SETS: Final = ("clean", "defects")

_LINE: Final = re.compile(
    r"\| `(?P<system>\w+)\.(?P<table>\w+)` \| (?:`(?P<key>[^`]*)`|null) \| `(?P<code>\w+)` \| .+ \|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A row of a `defects` store and the code it must be rejected with. `key` None: the key itself is null."""

    system: str
    table: str
    key: str | None
    code: RejectCode


def planted() -> tuple[Planted, ...]:
    """The lines of the table in `fixtures/README.md`, in its order."""
    text = (folder("fixtures") / "README.md").read_text(encoding="utf-8")
    return tuple(
        Planted(
            system=line["system"],
            table=line["table"],
            key=None if line["key"] is None else line["key"].replace(r"\|", "|"),
            code=RejectCode(line["code"]),
        )
        for line in _LINE.finditer(text)
    )
