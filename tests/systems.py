"""The systems with fixture stores, each with the source entry of its cases: for tests that go through all systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate import fixtures
from consolidate.bundled import folder
from consolidate.mapping import yaml

if TYPE_CHECKING:
    from pathlib import Path

_OF_THE_CASE = ("about", "mapping", "source")


def sets() -> list[tuple[str, str]]:
    """System and set of every fixture store that is a case, in the order of their names."""
    files = sorted(folder("fixtures").glob("*/*/case.yaml"))
    return [(file.parent.parent.name, file.parent.name) for file in files]


def entry(system: str, set_: str) -> dict[str, object]:
    """What the case of a store says of its source, as a project file would: `bot`, `bots`, `time_zone`, …"""
    problems = yaml.Problems()
    root = yaml.read(folder("fixtures") / system / set_ / "case.yaml", problems, shown="case.yaml")
    assert root is not None, problems.found
    return {one.key: _plain(one.value) for one in root if one.key not in _OF_THE_CASE}


def built(system: str, set_: str, place: Path, dsn: str) -> dict[str, object]:
    """Build the store; the entry of a project file that reads it."""
    store = fixtures.build(system, set_, place, postgres_dsn=dsn)
    where = {"path": str(store.path)} if store.dsn is None else {"dsn": store.dsn}
    return {"mapping": system, **where, **entry(system, set_)}


def _plain(node: yaml.Node) -> object:
    match node:
        case yaml.Scalar(text=text):
            return text
        case yaml.Sequence(items=items):
            return [_plain(item) for item in items]
        case yaml.Mapping():
            return {one.key: _plain(one.value) for one in node}
