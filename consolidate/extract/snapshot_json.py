"""JSON files of a snapshot source into staged tables: documents, then their rows, then one column a member."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from consolidate.extract.json_text import free_mark, invalid_json, stray, tagged
from consolidate.extract.snapshot_files import SnapshotFile, broken, matching, text_of
from consolidate.extract.staged import CLASS, ROW, classed_names, refuse_clashes, relation_of, staged_table
from consolidate.model import Progress, StagedColumn
from consolidate.staging import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from consolidate.model import ExtractRequest, SnapshotTable, StagedTable
    from consolidate.staging import Staging

FILE: Final = "#file"
DEFECT: Final = "#defect"
_BATCH_BYTES: Final = 64 * 2**20


@dataclass(slots=True)
class _Gathered:
    """One table while its files are read. `rows` is what the documents themselves say they hold."""

    table: SnapshotTable
    files: frozenset[int]
    items: str
    carried: str
    rows: int = 0


@dataclass(slots=True)
class JsonTables:
    """What `stage_json` returns: the tables, and per file the members of its document that no table reads."""

    staged: list[StagedTable] = field(default_factory=list)
    unread_members: dict[tuple[str, str], int] = field(default_factory=dict)


def stage_json(
    request: ExtractRequest,
    staging: Staging,
    files: Sequence[SnapshotFile],
    tables: Sequence[SnapshotTable],
    observe: Callable[[Progress], None],
) -> JsonTables:
    """Stage `tables` from those of `files` that they match; each file is read once, for all of them."""
    result = JsonTables()
    docs = f"work.{quoted(request.source + '#docs')}"
    gathered = [_begun(request.source, staging, files, table) for table in tables]
    for batch in _batches(request.source, files, frozenset().union(*(each.files for each in gathered))):
        _load_documents(request.source, staging, docs, files, batch)
        for each in gathered:
            members = [number for number in batch if number in each.files]
            if members:
                _gather(request.source, staging, docs, each, files, members)
                done = each.rows
                observe(Progress(stage="extract", subject=f"{request.source}.{each.table.name}", done=done, total=None))
        _note_unread(staging, docs, gathered, batch, result)
        staging.run(f"drop table {docs}")
    result.staged = [_finished(request, staging, each) for each in gathered]
    return result


def pointer(member: str) -> str:
    """The JSON pointer of a member of the document's top, whatever characters its name has."""
    return "/" + member.replace("~", "~0").replace("/", "~1")


def _begun(source: str, staging: Staging, files: Sequence[SnapshotFile], table: SnapshotTable) -> _Gathered:
    items = f"work.{quoted(f'{source}.{table.name}#items')}"
    carried = f"work.{quoted(f'{source}.{table.name}#carried')}"
    staging.run(f"create table {items} (f bigint, pos bigint, mark varchar, item varchar)")
    staging.run(f"create table {carried} (f bigint, file varchar, k json[])")
    own = {file.name for file in matching(files, table)}
    numbers = frozenset(number for number, file in enumerate(files) if file.name in own)
    return _Gathered(table=table, files=numbers, items=items, carried=carried)


def _batches(source: str, files: Sequence[SnapshotFile], wanted: frozenset[int]) -> Iterator[dict[int, str]]:
    """The texts of the wanted files by number, some at a time."""
    batch: dict[int, str] = {}
    size = 0
    for number in sorted(wanted):
        batch[number] = text_of(source, files[number])
        size += files[number].size
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _load_documents(
    source: str, staging: Staging, docs: str, files: Sequence[SnapshotFile], batch: dict[int, str]
) -> None:
    marks: list[str] = []
    for number, text in batch.items():
        mark = free_mark(text)
        if mark is None:
            raise broken(
                source, "invalid-json", f"{files[number].path} holds too many private characters", "convert it"
            )
        marks.append(mark)
    frame = pl.DataFrame(
        {
            "f": list(batch),
            "file": [files[number].name for number in batch],
            "mark": marks,
            "doc": list(batch.values()),
        },
        schema={"f": pl.Int64, "file": pl.String, "mark": pl.String, "doc": pl.String},
    )
    parts = []
    for (mark,), part in frame.group_by("mark", maintain_order=True):
        doc = tagged(part["doc"], str(mark))
        parts.append(part.with_columns(doc, stray(doc, str(mark)).alias("stray")))
    loaded = pl.concat(parts)
    for number in loaded.filter("stray")["f"].sort():
        raise invalid_json(source, files[number], batch[number])
    staging.ingest(docs, loaded.select("f", "file", "mark", "doc").to_arrow().to_reader(), "f, file, mark, doc")
    invalid = staging.value(f"select min(f) from {docs} where not json_valid(doc)")
    if isinstance(invalid, int):
        raise invalid_json(source, files[invalid], batch[invalid])


def _gather(
    source: str,
    staging: Staging,
    docs: str,
    gathered: _Gathered,
    files: Sequence[SnapshotFile],
    members: Sequence[int],
) -> None:
    """Take the rows and the carried members of the documents `members`."""
    table = gathered.table
    own = f"(select unnest({list(members)}::bigint[]))"
    _check_shape(source, staging, docs, own, table, files)
    if table.rows is None:
        staging.run(f"insert into {gathered.items} select f, 1, mark, doc from {docs} where f in {own}")
        gathered.rows += len(members)
    else:
        path = literal(pointer(table.rows))
        staging.run(
            f"insert into {gathered.items} select f, generate_subscripts(items, 1), mark, unnest(items) from"
            f" (select f, mark, from_json(json_extract(doc, {path}), '[\"JSON\"]') as items"
            f" from {docs} where f in {own})"
        )
        counted = staging.value(f"select sum(json_array_length(doc, {path}))::bigint from {docs} where f in {own}")
        gathered.rows += counted if isinstance(counted, int) else 0
    staging.run(
        f"insert into {gathered.carried} select f, file, json_extract(doc, {_pointers(table.carry)})"
        f" from {docs} where f in {own}"
    )
    for number, position, kind in staging.rows(
        f"select f, pos, coalesce(json_type(item), 'NULL') from {gathered.items}"
        f" where f in {own} and json_type(item) is distinct from 'OBJECT' order by f, pos limit 1"
    ):
        where = f"element {position} of {table.rows!r}" if table.rows is not None else "the document"
        raise broken(
            source,
            "wrong-shape",
            f"{files[int(str(number))].path}: {where} is {_kind(kind)}, not an object",
            f"table {table.name} needs objects as rows; check `files:` and `rows:` of its mapping",
        )


def _check_shape(
    source: str, staging: Staging, docs: str, own: str, table: SnapshotTable, files: Sequence[SnapshotFile]
) -> None:
    """Raise `UnreachableError` where a document is no object, lacks the rows, or names a used member twice."""
    named = [*(() if table.rows is None else (table.rows,)), *table.carry]
    repeated = (
        f"list_filter({_texts(named)}, lambda name: len(list_filter(json_keys(doc), lambda key: key = name)) > 1)"
    )
    list_type = "'ARRAY'" if table.rows is None else f"json_type(json_extract(doc, {literal(pointer(table.rows))}))"
    for number, top, listed, twice in staging.rows(
        f"select f, json_type(doc), {list_type} as listed, ({repeated})[1] as twice from {docs} where f in {own}"
        " and (json_type(doc) <> 'OBJECT' or listed is distinct from 'ARRAY' or twice is not null) order by f limit 1"
    ):
        path = files[int(str(number))].path
        if top != "OBJECT":
            message = f"{path}: the document is {_kind(top)}, not an object"
        elif twice is not None:
            message = f"{path}: the document has the member {twice!r} twice"
        elif listed is None:
            message = f"{path}: the document has no member {table.rows!r}, where table {table.name} has its rows"
        else:
            message = f"{path}: the member {table.rows!r} is {_kind(listed)}, not a list of rows"
        raise broken(source, "wrong-shape", message, f"check `files:` and `rows:` of table {table.name} in its mapping")


def _note_unread(
    staging: Staging, docs: str, gathered: Sequence[_Gathered], batch: Iterable[int], result: JsonTables
) -> None:
    """Count, per pattern, the members of documents that are neither a table's rows nor carried by any table."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for number in batch:
        alike.setdefault(tuple(i for i, each in enumerate(gathered) if number in each.files), []).append(number)
    for readers, numbers in alike.items():
        tables = [gathered[reader].table for reader in readers]
        if any(table.rows is None for table in tables):
            continue  # the whole documents are rows of that table
        read = {name for table in tables for name in (table.rows, *table.carry)}
        for key, count in staging.rows(
            f"select key, count(*) from (select unnest(json_keys(doc)) as key from {docs}"
            f" where f in (select unnest({numbers}::bigint[]))) as members"
            f" where not list_contains({_texts(read)}, key) group by key"
        ):
            name = (tables[0].files, str(key))
            result.unread_members[name] = result.unread_members.get(name, 0) + int(str(count))


def _finished(request: ExtractRequest, staging: Staging, gathered: _Gathered) -> StagedTable:
    """Make the staged table; its columns are the rows' members in order of appearance, the carried, the wanted."""
    table, items = gathered.table, gathered.items
    found = staging.rows(
        f"select name from (select f, pos, unnest(json_keys(item)) as name,"
        f" generate_subscripts(json_keys(item), 1) as place"
        f" from {items}) group by name order by min((f, pos, place))"
    )
    members = [str(name) for (name,) in found]
    names = [*members, *table.carry]
    names += [name for name in table.columns if name not in names]
    columns = tuple(StagedColumn(name=name, stored_type="") for name in names)
    refuse_clashes(request.source, table.name, columns, [*classed_names(columns), FILE, DEFECT])
    cells = [f"c[{number}]" for number in range(1, len(members) + 1)]
    cells += [f"k[{number}]" for number in range(1, len(table.carry) + 1)]
    cells += ["null::json"] * (len(names) - len(cells))
    twice = "list_filter(keys, lambda key: len(list_filter(keys, lambda other: other = key)) > 1)[1]"
    selected = [
        f"row_number() over (order by f, pos) as {quoted(ROW)}",
        f"file as {quoted(FILE)}",
        f"'duplicate_key:' || {twice} as {quoted(DEFECT)}",
    ]
    for cell, name in zip(cells, names, strict=True):
        selected.append(f"{_value(cell)} as {quoted(name)}")
        selected.append(f"{_class(cell)} as {quoted(name + CLASS)}")
    staging.run(
        f"create table {relation_of(request.source, table.name)} as select {', '.join(selected)} from"
        f" (select f, pos, mark, json_keys(item) as keys, json_extract(item, {_pointers(members)}) as c from {items})"
        f" join {gathered.carried} using (f) order by f, pos"
    )
    staging.run(f"drop table {items}")
    staging.run(f"drop table {gathered.carried}")
    return staged_table(staging, request, table.name, columns, rows=gathered.rows, classed=True)


def _value(cell: str) -> str:
    """A cell as staged: a scalar's text; of lists and objects the JSON text, with numbers as written."""
    text = f"({cell} ->> '$')"
    pieces = f"string_split({cell}::varchar, '\"' || mark)"
    joined = "lambda piece, place: case when place = 1 then piece else regexp_replace(piece, '\"', '') end"
    return (
        f"case json_type({cell}) when 'NULL' then null"
        f" when 'VARCHAR' then case when starts_with({text}, mark) then substr({text}, 2) else {text} end"
        f" when 'BOOLEAN' then {text} else array_to_string(list_transform({pieces}, {joined}), '') end"
    )


def _class(cell: str) -> str:
    return (
        f"case json_type({cell}) when 'VARCHAR'"
        f" then case when starts_with({cell} ->> '$', mark) then 'number' else 'string' end"
        f" else coalesce(lower(json_type({cell})), 'absent') end"
    )


def _pointers(names: Iterable[str]) -> str:
    return f"{_texts([pointer(name) for name in names])}"


def _texts(names: Iterable[str | None]) -> str:
    return f"[{', '.join(literal(name) for name in names if name is not None)}]::varchar[]"


def _kind(json_type: object) -> str:
    words = {
        "OBJECT": "an object",
        "ARRAY": "a list",
        "NULL": "null",
        "VARCHAR": "a string or a number",
        "BOOLEAN": "a boolean",
    }
    return words.get(str(json_type), "a number")
