"""Random values through each kind of source, and what must become of them. Long: `python -m tests.probe 100000`.

A probe row holds a decimal, a double, an instant, a text and a JSON document. It is either in the target, each value
identical (doubles rounded half-even, as the mapping says), or rejected with a code that its values give cause for.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
import struct
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING

from consolidate import embedded, pipeline, project
from consolidate.model import RejectCode
from consolidate.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("postgres", "sqlite", "json", "csv")
_EXACT = Context(prec=400)
_LIMIT = Decimal(10) ** 12
_PLANES = (0x20, 0x7F, 0x100, 0x800, 0x2000, 0xFFF0, 0x10000, 0x1F600, 0x20000, 0xE0100, 0x10FFF0)
_TEXTS = (
    "",
    " ",
    "\\N",
    "\\",
    '"',
    "'",
    "''",
    "\t",
    "\n",
    "\r\n",
    "a\\nb",
    "<script>",
    "=1+1",
    "null",
    "NaN",
    ",",
    "\u2028",
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One row: every value as text, as a careful writer of the store would write it; None is null."""

    id: int
    amount: str
    real: str
    moment: str
    note: str | None
    doc: str


def probes(count: int, kind: str, seed: int) -> list[Probe]:
    """`count` rows, about one in three with a value that must be rejected."""
    dice = random.Random(f"{kind} {seed}")
    return [
        Probe(i, _amount(dice, kind), _real(dice, kind), _moment(dice, kind), _note(dice, kind), _doc(dice, kind))
        for i in range(1, count + 1)
    ]


def _amount(dice: random.Random, kind: str) -> str:
    if dice.random() < 0.02 and kind != "json":
        return dice.choice(["NaN", "Infinity", "-Infinity"])
    digits = dice.choice([1, 4, 8, 12, 20, 38])
    decimals = dice.choice([0, 0, 2, 8, 8, 9, 18])
    text = str(Decimal(dice.randint(-(10**digits) + 1, 10**digits - 1)).scaleb(-decimals, _EXACT))
    text = format(Decimal(text), "f")
    return "-0" if dice.random() < 0.01 else text


def _real(dice: random.Random, kind: str) -> str:
    choice = dice.random()
    if choice < 0.01 and kind in {"postgres", "sqlite"}:
        return dice.choice(["inf", "-inf"])
    if choice < 0.5:
        return repr(dice.uniform(-1e6, 1e6))
    if choice < 0.8:
        return repr(round(dice.uniform(-1e4, 1e4), dice.choice([1, 2, 8, 9])))
    number = math.nan
    while not math.isfinite(number):
        (number,) = struct.unpack("<d", dice.randbytes(8))
    return repr(number)


def _moment(dice: random.Random, kind: str) -> str:
    if dice.random() < 0.02 and kind == "postgres":
        return dice.choice(["infinity", "12024-01-01 00:00:00+00", "0044-03-15 12:00:00+00 BC"])
    at = datetime(1, 1, 2, tzinfo=UTC) + timedelta(microseconds=dice.randrange(0, 315_537_000_000 * 1_000_000))
    if kind == "postgres" or dice.random() < 0.5:
        return at.isoformat(sep=dice.choice("T "))
    if dice.random() < 0.2:
        return at.strftime("%Y").zfill(4) + at.strftime("-%m-%dT%H:%M:%S.123456789Z")
    return at.replace(microsecond=0).isoformat().replace("+00:00", dice.choice(["Z", "+00", "+0530", "-03:30"]))


def _note(dice: random.Random, kind: str) -> str | None:
    choice = dice.random()
    if choice < 0.05:
        return None
    if choice < 0.4:
        return dice.choice(_TEXTS)
    if choice < 0.43 and kind in {"sqlite", "json"}:
        return "a\0b"
    return "".join(chr(dice.choice(_PLANES) + dice.randrange(16)) for _ in range(dice.randrange(1, 12)))


def _doc(dice: random.Random, kind: str) -> str:
    choice = dice.random()
    if choice < 0.02 and kind in {"sqlite", "csv"}:
        return dice.choice(['{"a": 1, "a": 2}', '{"a": NaN}', "{'a': 1}", '{"a": "\\u0000"}', "{", "01"])
    number = format(Decimal(dice.randrange(10 ** dice.choice([3, 20, 30]))).scaleb(-dice.choice([0, 2, 20])), "f")
    note = json.dumps(dice.choice(_TEXTS), ensure_ascii=dice.random() < 0.5)
    return f'{{"n": {number}, "t": {note}, "list": [1.10, true, null, {{"deep": -0.5}}]}}'


def build(kind: str, rows: Iterable[Probe], folder: Path, dsn: str) -> None:
    """Write the rows into a store of this kind: the database of `dsn`, or files in `folder`."""
    match kind:
        case "postgres":
            with connect(dsn, what="the store") as connection:
                connection.execute(
                    "create table public.probe (id integer primary key, amount numeric, real double precision,"
                    " moment timestamptz, note text, doc jsonb)"
                )
                with connection.cursor() as cursor, cursor.copy("copy public.probe from stdin") as copy:
                    for row in rows:
                        copy.write_row((row.id, row.amount, row.real, row.moment, row.note, row.doc))
        case "sqlite":
            with closing(sqlite3.connect(folder / "probe.db")) as store, store:
                store.execute(
                    "create table probe"
                    " (id integer primary key, amount text, real real, moment text, note text, doc text)"
                )
                store.executemany(
                    "insert into probe values (?, ?, ?, ?, ?, ?)",
                    ((r.id, r.amount, float(r.real), r.moment, r.note, r.doc) for r in rows),
                )
        case "json":
            with (folder / "probe.json").open("w", encoding="utf-8") as file:
                lines = (
                    f'{{"id": {r.id}, "amount": {r.amount}, "real": {r.real}, "moment": {json.dumps(r.moment)},'
                    f' "note": {json.dumps(r.note)}, "doc": {r.doc}}}'
                    for r in rows
                )
                file.write('{"probe": [' + ",\n".join(lines) + "]}")
        case _:
            with (folder / "probe.csv").open("w", encoding="utf-8", newline="") as file:
                file.write("id,amount,real,moment,note,doc\n")
                for r in rows:
                    file.write(",".join(map(_quoted, (str(r.id), r.amount, r.real, r.moment, r.note, r.doc))) + "\n")


def _quoted(cell: str | None) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'


def wrong(kind: str, rows: list[Probe], folder: Path, target: str, store: str) -> list[str]:
    """Run the rows of a built store into the target; every row that is neither identical nor rejected with cause."""
    place = f"dsn: {store}" if kind == "postgres" else f"path: {folder / ('probe.db' if kind == 'sqlite' else '')}"
    mapping = Path(__file__).parent / "mappings" / f"probe_{kind}"
    codes = ", ".join(code.value for code in RejectCode)
    file = folder / "consolidate.yaml"
    file.write_text(
        f"version: 1\ntarget: {target}\nevidence: digests\nsources:\n  probe:\n    mapping: {mapping}\n    {place}\n"
        "    bot: {id: probe_001, deployment_mode: demo, initial_capital: 1}\n"
        f"limits: {{accept: [{codes}]}}\n",
        encoding="utf-8",
    )
    report = pipeline.run(project.load(file))
    if report.status != "loaded":
        return [f"{kind}: the run ended as {report.status}: {report.problems}"]
    with connect(target, what="the target") as connection:
        loaded = {
            key: values
            for key, *values in connection.execute(
                "select l.source_key, r.current_value::text, r.limit_value::text, r.event_time at time zone 'UTC',"
                " r.resolution_notes, e.details::text from audit.migration_lineage l join audit.risk_events r"
                " on r.id::text = l.target_key and l.target_table = 'audit.risk_events'"
                " join audit.migration_lineage k on k.source = l.source and k.source_key = l.source_key"
                " and k.target_table = 'audit.system_events' join audit.system_events e on e.id::text = k.target_key"
            ).fetchall()
        }
        rejected: dict[str, str] = dict(
            connection.execute("select source_key, code from audit.migration_rejects").fetchall()
        )
    found = []
    for row in rows:
        cause = causes(row, kind)
        values = loaded.get(str(row.id))
        if values is None:
            code = rejected.get(str(row.id))
            if code not in cause:
                found.append(f"{kind}: {row} was rejected with {code}, causes are {cause}")
        elif cause:
            found.append(f"{kind}: {row} was loaded, although {cause}")
        elif not identical(row, values, kind):
            found.append(f"{kind}: {row} became {values}")
    return found


def causes(row: Probe, kind: str) -> set[str]:
    """The codes that the row may be rejected with; empty: it must be loaded."""
    found = set()
    amount = Decimal(row.amount)
    if not amount.is_finite():
        found.add("not_finite")
    else:
        if amount != amount.quantize(Decimal("1e-8"), ROUND_HALF_EVEN, _EXACT):
            found.add("inexact")
        if abs(amount) >= _LIMIT or len(amount.normalize(_EXACT).as_tuple().digits) > 38:
            found.add("out_of_range")
    real = float(row.real)
    if not math.isfinite(real):
        found.add("not_finite")
    elif abs(_rounded(real)) >= _LIMIT:
        found.add("out_of_range")
    if row.moment == "infinity" or row.moment.startswith("12024") or row.moment.endswith("BC"):
        found.add("out_of_range")
    elif ".123456789" in row.moment:
        found.add("inexact")
    if row.note is not None and "\0" in row.note:
        found.add("nul_byte")
    if kind in {"sqlite", "csv"} and not row.doc.startswith('{"n"'):
        found.add("bad_json")
    return found


def _rounded(real: float) -> Decimal:
    return Decimal(repr(real)).quantize(Decimal("1e-8"), ROUND_HALF_EVEN, _EXACT)


def identical(row: Probe, values: list[object], kind: str) -> bool:
    """Whether the target holds exactly what the row does."""
    amount, real, moment, note, doc = values
    with localcontext(_EXACT):
        same = Decimal(str(amount)) == Decimal(row.amount) and Decimal(str(real)) == _rounded(float(row.real))
    at = datetime.fromisoformat(row.moment).astimezone(UTC).replace(tzinfo=None)
    wanted = json.loads(row.doc, parse_float=Decimal, parse_int=Decimal)
    got = json.loads(str(doc), parse_float=Decimal, parse_int=Decimal)
    del kind
    return same and moment == at and note == row.note and repr(got["n"]) == repr(wanted["n"]) and got == wanted


def main() -> int:
    """Run as many rows as asked for through each kind of source."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**9)
    failures = 0
    with tempfile.TemporaryDirectory() as temporary, embedded.server(Path(temporary) / "pg", durable=False) as server:
        for kind in KINDS:
            folder = Path(temporary) / kind
            folder.mkdir()
            for name in (f"store_{kind}", f"target_{kind}"):
                server.create(name)
            rows = probes(count, kind, seed)
            build(kind, rows, folder, server.dsn(f"store_{kind}"))
            found = wrong(kind, rows, folder, server.dsn(f"target_{kind}"), server.dsn(f"store_{kind}"))
            kept = sum(not causes(row, kind) for row in rows)
            print(f"{kind}: {count} rows, seed {seed}: {kept} loaded, {count - kept} rejected, {len(found)} wrong")
            for one in found[:10]:
                print(f"  {one}")
            failures += len(found)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
