"""A run that finds nothing new: the same sources, rules and tool as the last one, and its rows untouched in the target.

The stages between extraction and ledger are functions of what they read: of the rows of the sources, of the rules, of
the tool itself, and of the rows of the target. Where all of these are proved to be what the last loaded run had before
it and left behind it, its results are the results, and nothing is made, compared or written anew. What is read of the
sources is read and digested whole; that the target is untouched is proved in the transaction that ends the run (see
`consolidate.target.footprint`). Where anything differs, or cannot be told, the run goes all the way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from consolidate.bundled import folder, statement
from consolidate.errors import Location
from consolidate.model import CheckResult, Control, Notice, ReferenceCounts, Rounding, SourceCounts, TargetCounts
from consolidate.staging import literal, quoted
from consolidate.target.footprint import Footprint, is_untouched
from consolidate.target.stream import copy_out
from consolidate.target.transaction import snapshot
from consolidate.transform.candidates import create_candidates
from consolidate.transform.graph import keep_references
from consolidate.transform.notices import create_notices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consolidate.evidence import Rules
    from consolidate.model import StagedSource
    from consolidate.staging import Staging
    from consolidate.target.transaction import Connection

MEMBER: Final = "repeat"
"""The member of a report in the ledger that a repeat of its run needs."""

_PARTS: Final = ("duckdb", "sqlalchemy", "pyarrow", "psycopg", "adbc-driver-sqlite", "polars", "tzdata", "pyyaml")
"""Of what makes rows besides our own code."""

_DONE_ONCE: Final = ("rekeyed", "conflict_source")
"""Notices of what a load did, which a repeat of it does not."""

_LOADED: Final = "loaded"
_SAID: Final = {"origin": "from", "pointed": "to"}
"""What a report calls members of our values that it calls otherwise."""
_REJECTS: Final = (
    ("#n", "bigint"),
    ("source", "varchar"),
    ("source_table", "varchar"),
    ("source_key", "varchar"),
    ("code", "varchar"),
    ("column_name", "varchar"),
    ("value", "varchar"),
    ("location", "varchar"),
    ("row", "varchar"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The last run that wrote to the target, as far as a repeat needs it. `inputs` as `inputs` gives them."""

    run_id: str
    inputs: str
    footprint: Footprint
    report: dict[str, Any]

    @property
    def counts(self) -> tuple[SourceCounts, ...]:
        """What became of every source row."""
        return tuple(SourceCounts(**_known(SourceCounts, one)) for one in self.report["sources"])

    @property
    def bots(self) -> list[str]:
        """The ids of the bots, those of the project file and those that rows became."""
        return [one.bot_id for one in self.targets if one.table == "trading.bots" and one.bot_id is not None]

    @property
    def targets(self) -> tuple[TargetCounts, ...]:
        """Every candidate, unchanged."""
        return tuple(
            TargetCounts(
                table=one["table"],
                bot_id=one["bot_id"],
                candidate=one["candidate"],
                insert=0,
                update=0,
                unchanged=one["candidate"],
                conflict=0,
            )
            for one in self.report["targets"]
        )

    @property
    def roundings(self) -> tuple[Rounding, ...]:
        """What was rounded on the way."""
        return tuple(
            Rounding(**{**_known(Rounding, one), "location": _location(one["location"])})
            for one in self.report["roundings"]
        )

    @property
    def controls(self) -> tuple[Control, ...]:
        """The control totals, equal on both sides."""
        return tuple(Control(**_known(Control, one)) for one in self.report["controls"])

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The verdicts of the suites, whose files are inputs of the run; `failing_file` where it is still there."""
        return tuple(
            CheckResult(
                **{
                    **_known(CheckResult, one),
                    "location": _location(one["location"]),
                    "failing_keys": tuple(one["failing_keys"]),
                    "failing_file": _there(one["failing_file"]),
                }
            )
            for one in self.report["checks"]
        )

    @property
    def references(self) -> tuple[ReferenceCounts, ...]:
        """The graph of references."""
        return tuple(
            ReferenceCounts(**{name: one[_SAID.get(name, name)] for name in _names(ReferenceCounts)})
            for one in self.report["references"]
        )

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the mappings had to say."""
        return tuple(Notice(**_known(Notice, one)) for one in self.report["notices"] if one["code"] not in _DONE_ONCE)

    @property
    def document(self) -> dict[str, object]:
        """`MEMBER` of the report of the repeat."""
        return member(self.inputs, self.footprint)


def member(digest: str, footprint: Footprint | None) -> dict[str, object]:
    """What a report in the ledger says for a repeat: nothing without a footprint."""
    return {} if footprint is None else {MEMBER: {"inputs": digest, "footprint": footprint.document}}


def is_closed(references: Sequence[ReferenceCounts]) -> bool:
    """Whether no reference of a candidate needed the rows of others in the target, there or not, to be judged."""
    return not any(one.held or one.lost for one in references if one.kind == "target")


def inputs(
    *, project_digest: str, mappings: Sequence[Path], rules: Sequence[Rules], sources: Sequence[StagedSource]
) -> str:
    """SHA-256, in hex, of all that a run depends on but the target: one other byte in any of it is another digest."""
    document = {
        "tool": _tool(),
        "parts": {name: version(name) for name in _PARTS},
        "project": project_digest,
        "mappings": [_files(place) for place in mappings],
        "rules": [dataclasses.asdict(rule) for rule in rules],
        "sources": [
            {
                "source": one.source,
                "kind": one.kind.value,
                "tables": [dataclasses.asdict(table) for table in one.tables],
                "unread": [dataclasses.asdict(table) for table in one.unread],
            }
            for one in sources
        ],
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def _tool() -> str:
    """The digest of our own code, SQL and mappings, by content: a checkout changes without its version."""
    return _files(Path(__file__).resolve().parent, folder("sql"), folder("mappings"))


def _files(*places: Path) -> str:
    digest = hashlib.sha256()
    for place in places:
        for file in sorted(place.rglob("*")):
            if file.suffix in (".py", ".sql", ".yaml", ".json") and file.is_file():
                content = file.read_bytes()
                digest.update(f"{file.relative_to(place)}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


def found(connection: Connection, staging: Staging, digest: str) -> Earlier | None:
    """The run that this one would repeat, with its rejects and notices brought into the run's DuckDB file.

    None where the last run that wrote to the target did not load, had other inputs, or left something that is not as it
    was. That is one moment's truth: `is_same` must prove it again where the run ends.
    """
    with snapshot(connection):
        one = _last(connection, digest)
        if one is not None and is_same(connection, one):
            _bring_findings(connection, staging, one)
            return one
    return None


def is_same(connection: Connection, earlier: Earlier) -> bool:
    """Whether the run is still the last one, and what it left is as it was, in the snapshot of this transaction."""
    if _last(connection, earlier.inputs) != earlier or not is_untouched(connection, earlier.footprint):
        return False
    lossy = connection.execute(statement("repeat/lossy"), {"run_id": earlier.run_id}).fetchone()
    return lossy == (False,)


def _last(connection: Connection, digest: str) -> Earlier | None:
    row = connection.execute(statement("repeat/last")).fetchone()
    if row is None or row[1] != _LOADED or row[2] is None:
        return None
    report: dict[str, Any] = row[2]
    kept = report[MEMBER]
    # What only the target had when the run asked it is no input of the run: it must be asked again.
    if kept["inputs"] != digest or any(one["held"] for one in report["references"]):
        return None
    return Earlier(run_id=str(row[0]), inputs=digest, footprint=Footprint.of(kept["footprint"]), report=report)


def _bring_findings(connection: Connection, staging: Staging, earlier: Earlier) -> None:
    """Leave rejects and notices as the transformation would."""
    create_candidates(staging)
    create_notices(staging)
    keep_references(staging, earlier.references)
    copy_out(connection, _rejects_of(earlier.run_id), staging, "rej.rejects", _REJECTS)
    for notice in earlier.notices:
        staging.run("insert into rej.notices values (?, ?)", [notice.code, notice.message])


def _rejects_of(run_id: str) -> str:
    columns = ", ".join(quoted(name) for name, _ in _REJECTS[1:-1])
    origin = f"audit.migration_rejects where run_id = {literal(run_id)} order by number"
    return f'select number, {columns}, "row"::text from {origin}'  # noqa: S608 - ours


def _known(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a part of a report its value has; keys may be added to reports."""
    return {name: document[name] for name in _names(kind)}


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _there(file: str | None) -> Path | None:
    return Path(file) if file is not None and Path(file).is_file() else None


def _location(text: str) -> Location:
    file, line, column = text.rsplit(":", 2)
    return Location(file=file, line=int(line), column=int(column))
