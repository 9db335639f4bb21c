"""The evidence of a run: what it read, by which rules, and what came of it, in files that can be proved unchanged.

```
<run folder>/evidence/
  manifest.json               every other file with its SHA-256 and size; what was read of each source, with digests
  consolidate.yaml            the project file, its secrets struck out
  mappings/<n>/               values.yaml and, in mapping/, the mapping of the source at place n as it was used
  staged/<source>/<n>.parquet   the rows of the table at place n as the store held them; not with `evidence: digests`
  report.json  rejects.jsonl  held.jsonl (where rows point at what only the target has)
```
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from consolidate.bundled import folder as bundled
from consolidate.errors import Problem, UnreachableError
from consolidate.extract.staged import relation_of
from consolidate.mapping.made_bots import BotConfiguration, MadeBot, MadeBots
from consolidate.model import SourceKind, StagedColumn, StagedSource, StagedTable
from consolidate.transform.bots import BotRow
from consolidate.transform.source import Routing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consolidate.staging import Staging

FOLDER: Final = "evidence"
MANIFEST: Final = "manifest.json"
SCHEMA: Final = "consolidate.evidence/1"
VALUES: Final = "values.yaml"
_BLOCK: Final = 1 << 20
_HINT: Final = "evidence proves nothing once it is changed: bring the file back from a copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """By which rules a source was read, its mapping aside: its zone and its bots, as the project file said."""

    time_zone: str | None
    routing: Routing
    bots: tuple[BotRow, ...]
    made: MadeBots = field(default_factory=MadeBots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence as read and proved whole. `sources` are as they were staged; `full`: their rows are there too."""

    folder: Path
    run_id: str
    tool_version: str
    full: bool
    sources: tuple[StagedSource, ...]
    rules: tuple[Rules, ...]

    @property
    def project_file(self) -> Path:
        """The project file of the run, its secrets struck out."""
        return self.folder / "consolidate.yaml"

    def mapping(self, index: int) -> Path:
        """The folder with the mapping of the source at this place."""
        return self.folder / "mappings" / str(index) / "mapping"


def write_staged(staging: Staging, source: StagedSource, folder: Path) -> None:
    """Write every staged table of a source as Parquet, in the order of its rows, every cell as text."""
    from pyarrow import parquet  # noqa: PLC0415 - only a run with full evidence needs it

    place = folder / "staged" / source.source
    place.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(source.tables):
        reader = staging.arrow(f"select * from {table.relation}")
        with parquet.ParquetWriter(
            _file(place, number), reader.schema, compression="zstd", compression_level=1
        ) as file:
            for batch in reader:
                file.write_batch(batch)


def _file(place: Path, number: int) -> Path:
    """Tables are numbered: their names may be no names of files."""
    return place / f"{number}.parquet"


def write_rules(folder: Path, project_text: str, mappings: Sequence[Path]) -> None:
    """Keep the project file, as `project_text`, and the mapping folder of each source in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "consolidate.yaml").write_text(project_text, encoding="utf-8")
    for index, mapping in enumerate(mappings):
        place = folder / "mappings" / str(index)
        (place / "mapping").mkdir(parents=True, exist_ok=True)
        beside = mapping.parent / VALUES
        for file in (*sorted(mapping.glob("*.yaml")), beside if beside.is_file() else bundled("mappings") / VALUES):
            shutil.copyfile(file, (place / "mapping" if file.name != VALUES else place) / file.name)


def seal(
    folder: Path,
    *,
    run_id: str,
    tool_version: str,
    full: bool,
    sources: Sequence[StagedSource],
    rules: Sequence[Rules],
    files: Sequence[Path],
) -> None:
    """Take copies of `files` in and write the manifest, last of all: without it the evidence is not whole."""
    for file in files:
        shutil.copyfile(file, folder / file.name)
    listed = [
        {"name": file.relative_to(folder).as_posix(), "sha256": _digest(file), "bytes": file.stat().st_size}
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    ]
    document = {
        "schema": SCHEMA,
        "run_id": run_id,
        "tool_version": tool_version,
        "full": full,
        "sources": [{**_source(source), **_rules(rule)} for source, rule in zip(sources, rules, strict=True)],
        "files": listed,
    }
    document["sha256"] = _own_digest(document)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _own_digest(document: Mapping[str, object]) -> str:
    """The digest of a manifest over all that it says but the digest itself."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _source(source: StagedSource) -> dict[str, object]:
    return {
        "source": source.source,
        "kind": source.kind.value,
        "origin": source.origin,
        "bytes_read": source.bytes_read,
        "tables": [
            {
                "table": table.table,
                "rows": table.rows,
                "classed": table.classed,
                "digest": table.digest,
                "columns": [[column.name, column.stored_type] for column in table.columns],
            }
            for table in source.tables
        ],
    }


def _rules(rules: Rules) -> dict[str, object]:
    return {
        "time_zone": rules.time_zone,
        "routing": {
            "default": rules.routing.default,
            "routes": rules.routing.routes,
            "default_key": rules.routing.default_key,
        },
        "made": {
            "defaults": rules.made.defaults,
            "by_key": [
                {
                    "key": bot.key,
                    "id": bot.id,
                    "attributes": bot.attributes,
                    "configurations": [[one.key, one.value, one.type] for one in bot.configurations],
                }
                for bot in rules.made.by_key
            ],
        },
        "bots": [
            {
                "id": bot.id,
                "attributes": bot.attributes,
                "configurations": [[one.key, one.value, one.type] for one in bot.configurations],
            }
            for bot in rules.bots
        ],
    }


def _read_rules(document: dict[str, Any]) -> Rules:
    routing = document["routing"]
    return Rules(
        time_zone=document["time_zone"],
        routing=Routing(
            default=routing["default"],
            routes=tuple((str(route), str(bot)) for route, bot in routing["routes"]),
            default_key=routing.get("default_key"),
        ),
        made=_read_made(document.get("made", {"defaults": [], "by_key": []})),
        bots=tuple(
            BotRow(
                id=bot["id"],
                source=document["source"],
                attributes=_pairs(bot["attributes"]),
                configurations=_configurations(bot["configurations"]),
            )
            for bot in document["bots"]
        ),
    )


def _read_made(document: dict[str, Any]) -> MadeBots:
    return MadeBots(
        defaults=_pairs(document["defaults"]),
        by_key=tuple(
            MadeBot(
                key=one["key"],
                id=one["id"],
                attributes=_pairs(one["attributes"]),
                configurations=_configurations(one["configurations"]),
            )
            for one in document["by_key"]
        ),
    )


def _pairs(listed: list[list[Any]]) -> tuple[tuple[str, str | None], ...]:
    return tuple((str(name), value) for name, value in listed)


def _configurations(listed: list[list[Any]]) -> tuple[BotConfiguration, ...]:
    return tuple(BotConfiguration(key=key, value=value, type=kind) for key, value, kind in listed)


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def is_there(run_folder: Path) -> bool:
    """Whether the run sealed its evidence, whatever became of it since."""
    return (run_folder / FOLDER / MANIFEST).exists()


def opened(run_folder: Path) -> Evidence:
    """The evidence of a run, with every file proved to be the one that was sealed.

    Raises `UnreachableError` where there is none, where it is not whole (the run died), or where a file is missing,
    added or changed: all of them are named.
    """
    folder = run_folder / FOLDER
    manifest = _manifest(folder)
    try:
        found = _read(folder, manifest)
        for source in found.sources:
            _inside(folder, f"staged/{source.source}")
        listed = [(_inside(folder, str(one["name"])), str(one["sha256"])) for one in manifest["files"]]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UnreachableError(
            Problem(
                code="evidence-changed",
                message=f"{folder / MANIFEST} is no manifest that consolidate wrote: {said}",
                hint=_HINT,
            )
        ) from None
    problems = list(_changed(folder, dict(listed)))
    if problems:
        raise UnreachableError(*problems)
    return found


def _read(folder: Path, manifest: dict[str, Any]) -> Evidence:
    sources = manifest["sources"]
    return Evidence(
        folder=folder,
        run_id=str(manifest["run_id"]),
        tool_version=str(manifest["tool_version"]),
        full=bool(manifest["full"]),
        sources=tuple(_read_source(one) for one in sources),
        rules=tuple(_read_rules(one) for one in sources),
    )


def _inside(folder: Path, name: str) -> str:
    """The name of a file of the evidence, which a manifest of a stranger cannot lead out of its folder."""
    place = Path(name)
    if place.is_absolute() or ".." in place.parts or "\0" in name:
        raise ValueError(f"{name!r} is not in {folder.name}/")
    return name


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        text = file.read_bytes()
    except OSError:
        text = b""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if text and (not isinstance(document, dict) or document.get("sha256") != _own_digest(document)):
        raise UnreachableError(Problem(code="evidence-changed", message=f"{file} is not as it was sealed", hint=_HINT))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UnreachableError(
            Problem(
                code="no-evidence",
                message=f"{folder} holds no whole evidence of a run",
                hint="the run died, its disk was full, or its folder was moved or deleted; `verify --sources`"
                " proves it from the sources, if they are as they were",
            )
        )
    return cast("dict[str, Any]", document)


def _changed(folder: Path, digests: Mapping[str, str]) -> Iterable[Problem]:
    for name, digest in digests.items():
        file = folder / name
        if file.is_symlink() or not file.is_file():
            yield Problem(code="evidence-missing", message=f"{file} is missing", hint=_HINT)
        elif _digest(file) != digest:
            yield Problem(code="evidence-changed", message=f"{file} is not as it was sealed", hint=_HINT)
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if not file.is_dir() and name not in digests and name != MANIFEST:
            yield Problem(
                code="evidence-added", message=f"{file} was not there when the evidence was sealed", hint=_HINT
            )


def _read_source(document: dict[str, Any]) -> StagedSource:
    tables = tuple(
        StagedTable(
            source=str(document["source"]),
            table=str(table["table"]),
            relation=relation_of(str(document["source"]), str(table["table"])),
            columns=tuple(StagedColumn(name=name, stored_type=kind) for name, kind in table["columns"]),
            rows=int(table["rows"]),
            classed=bool(table["classed"]),
            digest=str(table["digest"]),
        )
        for table in document["tables"]
    )
    return StagedSource(
        source=str(document["source"]),
        kind=SourceKind(document["kind"]),
        origin=str(document["origin"]),
        tables=tables,
        unread=(),
        bytes_read=int(document["bytes_read"]),
    )


def stage(staging: Staging, evidence: Evidence) -> None:
    """Stage the rows of full evidence again, as the extractors had staged them."""
    from pyarrow import RecordBatchReader, parquet  # noqa: PLC0415 - as above

    for source in evidence.sources:
        place = evidence.folder / "staged" / source.source
        for number, table in enumerate(source.tables):
            file = parquet.ParquetFile(_file(place, number))
            reader = RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
            staging.ingest(table.relation, reader, "*")
