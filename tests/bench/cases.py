"""What is measured. A case is measured in turns, each with databases of its own; its ratios are of the medians."""

from __future__ import annotations

import shutil
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.postgres import connect
from consolidate.target import schema
from tests.bench import floor, rivals, stores
from tests.bench.measuring import COMMAND, Cost, Meter, median

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from consolidate.embedded import Server

TEMPLATE: Final = "bench_unified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure of a case. `goal`: at most that; None: only to know."""

    name: str
    value: float
    goal: float | None = None
    processor: float | None = None
    """The same ratio in processor time of both sides, where it is a ratio of times."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met."""
        return None if self.goal is None else self.value <= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a case gave: its costs by name, medians of all turns, and the ratios of them."""

    case: str
    rows: int
    costs: Mapping[str, Cost]
    ratios: tuple[Ratio, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a case finds its server, its folder and how often it is to measure."""

    server: Server
    meter: Meter
    folder: Path
    turns: int

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """A fresh database, with the unified schema unless another template is named."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        self.server.create(name, template=template)
        try:
            yield self.server.dsn(name)
        finally:
            self.server.drop(name)

    def make_template(self) -> None:
        """Make the database with the unified schema that all others are copies of."""
        self.server.drop(TEMPLATE)
        self.server.create(TEMPLATE)
        with connect(self.server.dsn(TEMPLATE), what="the template") as connection:
            schema.apply(connection)

    def place(self, name: str) -> Path:
        """A folder for a project, emptied."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def momentum(self, rows: int, *, first: int = 1) -> Path:
        """A Momentum store, made once."""
        file = self.folder / "stores" / f"momentum-{first}-{rows}.db"
        if not file.exists():
            part = file.with_suffix(".part")
            part.unlink(missing_ok=True)
            stores.momentum(part, rows, first=first, per_day=max(700, rows // 2000))
            part.rename(file)
        return file

    def run(self, place: Path, dsn: str, verb: str = "run", **environment: str) -> Cost:
        """Our command over the project in `place`; the server's dirty pages are on disk before."""
        self._settle()
        return self.meter.consolidate(verb, cwd=place, environment={"TARGET": dsn, **environment})

    def floor(self, prepared: Path) -> Cost:
        """The floor for the rows in `prepared`."""
        with self.database() as dsn:
            again = floor.bare(dsn, prepared)
            self._settle()
            with self.meter.measured() as cost:
                floor.load(dsn, prepared, again)
        return cost

    def _settle(self) -> None:
        """Let what earlier turns left in the server be written by them and not by the next."""
        with connect(self.server.dsn(), what="the server") as connection:
            connection.autocommit = True
            connection.execute(b"checkpoint")


def _forget(place: Path) -> None:
    """Remove what runs of the project keep."""
    shutil.rmtree(place / ".consolidate", ignore_errors=True)


def _ratio(name: str, one: Cost, other: Cost, goal: float | None = None, *, per: float = 1.0) -> Ratio:
    processor = one.processor / other.processor / per if other.processor else None
    return Ratio(name=name, value=one.seconds / other.seconds / per, goal=goal, processor=processor)


def _momentum_project(bench: Bench, rows: int, name: str) -> Path:
    place = bench.place(name)
    stores.project(place, stores.momentum_source("momentum", str(bench.momentum(rows)), "momentum"))
    return place


def first(bench: Bench, rows: int) -> Found:
    """Momentum trades into an empty target against the floor and the others; again; and the plan of it."""
    place = _momentum_project(bench, rows, "first")
    file = bench.momentum(rows)
    prepared = bench.place("prepared")
    costs: dict[str, list[Cost]] = {}
    target_rows = 0
    for turn in range(bench.turns):
        with bench.database() as dsn:
            _forget(place)
            _note(costs, "plan", bench.run(place, dsn, "plan"))
            _forget(place)
            _note(costs, "run", bench.run(place, dsn))
            _note(costs, "again", bench.run(place, dsn))
            if not turn:
                target_rows = floor.keep_rows(dsn, prepared)
        _note(costs, "floor", bench.floor(prepared))
        _others(bench, file, costs)
    found = {name: median(each) for name, each in costs.items()}
    ratios = [
        _ratio("run to floor", found["run"], found["floor"], 1.5),
        _ratio("again to run", found["again"], found["run"], 0.25),
        _ratio("plan to run", found["plan"], found["run"], 0.5),
        _stages("reconcile to load", found["run"], "reconcile", "load", 0.25),
        Ratio(name="peak GB", value=found["run"].peak / 2**30, goal=1.0),
    ]
    ratios += [
        _ratio(f"run to {name} per row written", found["run"], found[name], 1.0, per=target_rows / rows)
        for name in ("pgloader", "dlt", "script")
        if name in found
    ]
    return Found(case="first", rows=rows, costs=found, ratios=tuple(ratios))


def _stages(name: str, cost: Cost, one: str, other: str, goal: float) -> Ratio:
    return Ratio(name=name, value=cost.stages[one] / cost.stages[other], goal=goal)


def _others(bench: Bench, file: Path, costs: dict[str, list[Cost]]) -> None:
    measures: dict[str, tuple[str, Callable[[Meter, Path, str], Cost | None]]] = {
        "script": (TEMPLATE, rivals.measured_script),
        "pgloader": ("template0", rivals.measured_pgloader),
        "dlt": ("template0", rivals.measured_dlt),
    }
    for name, (template, measure) in measures.items():
        with bench.database(template) as dsn:
            cost = measure(bench.meter, file, dsn)
            if cost is not None:
                _note(costs, name, cost)


def _note(costs: dict[str, list[Cost]], name: str, cost: Cost) -> None:
    costs.setdefault(name, []).append(cost)


def candles(bench: Bench, rows: int) -> Found:
    """Candles of a Shortseller PostgreSQL on the same server against the floor."""
    place, prepared = bench.place("candles"), bench.place("prepared")
    stores.project(place, stores.shortseller_source("shortseller"))
    costs: dict[str, list[Cost]] = {}
    with bench.database("template0") as source:
        stores.shortseller(source, rows)
        for turn in range(bench.turns):
            with bench.database() as dsn:
                _forget(place)
                _note(costs, "run", bench.run(place, dsn, SOURCE=source))
                _note(costs, "again", bench.run(place, dsn, SOURCE=source))
                if not turn:
                    floor.keep_rows(dsn, prepared)
            _note(costs, "floor", bench.floor(prepared))
    found = {name: median(each) for name, each in costs.items()}
    ratios = (
        _ratio("run to floor", found["run"], found["floor"], 1.5),
        _ratio("again to run", found["again"], found["run"], 0.25),
        Ratio(name="peak GB", value=found["run"].peak / 2**30),
    )
    return Found(case="candles", rows=rows, costs=found, ratios=ratios)


def ten(bench: Bench, rows: int) -> Found:
    """Ten times the rows: time and memory."""
    places = {"one": _momentum_project(bench, rows, "one"), "ten": _momentum_project(bench, rows * 10, "ten")}
    costs: dict[str, list[Cost]] = {}
    for _ in range(bench.turns):
        for name, place in places.items():
            with bench.database() as dsn:
                _forget(place)
                _note(costs, name, bench.run(place, dsn))
    found = {name: median(each) for name, each in costs.items()}
    ratios = (
        _ratio("ten times the rows", found["ten"], found["one"], 11.0),
        Ratio(name="memory of ten times the rows", value=found["ten"].peak / found["one"].peak, goal=1.3),
        Ratio(name="peak GB", value=found["one"].peak / 2**30, goal=1.0),
    )
    return Found(case="ten", rows=rows, costs=found, ratios=ratios)


def grown(bench: Bench, rows: int) -> Found:
    """One row in a hundred more, into a full target."""
    place = bench.place("grown")
    file = place / "trading.db"
    stores.project(place, stores.momentum_source("momentum", str(file), "momentum"))
    costs: dict[str, list[Cost]] = {}
    for _ in range(bench.turns):
        _forget(place)
        shutil.copyfile(bench.momentum(rows), file)
        with bench.database() as dsn:
            _note(costs, "run", bench.run(place, dsn))
            stores.momentum(file, rows // 100, first=rows + 1, per_day=max(700, rows // 2000))
            _note(costs, "grown", bench.run(place, dsn))
    found = {name: median(each) for name, each in costs.items()}
    ratios = (_ratio("one percent more to run", found["grown"], found["run"], 0.15),)
    return Found(case="grown", rows=rows, costs=found, ratios=ratios)


def many(bench: Bench, rows: int) -> Found:
    """A hundred sources against one with as many rows."""
    one, hundred = _momentum_project(bench, rows, "single"), bench.place("hundred")
    entries = []
    for number in range(100):
        store = bench.momentum(rows // 100, first=number * (rows // 100) + 1)
        entries.append(stores.momentum_source(f"bot{number:03}", str(store), f"bot{number:03}"))
    stores.project(hundred, "".join(entries))
    costs: dict[str, list[Cost]] = {}
    for _ in range(bench.turns):
        for name, place in (("one", one), ("hundred", hundred)):
            with bench.database() as dsn:
                _forget(place)
                _note(costs, name, bench.run(place, dsn))
    found = {name: median(each) for name, each in costs.items()}
    ratios = (_ratio("a hundred sources to one", found["hundred"], found["one"], 3.0),)
    return Found(case="many", rows=rows, costs=found, ratios=ratios)


def snapshots(bench: Bench, rows: int) -> Found:
    """Signals in a CSV file of an LXAlgo folder against the floor."""
    place, prepared = bench.place("snapshots"), bench.place("prepared")
    stores.lxalgo(place / "lxalgo", rows)
    stores.project(place, stores.lxalgo_source("lxalgo", "lxalgo"))
    costs: dict[str, list[Cost]] = {}
    for turn in range(bench.turns):
        with bench.database() as dsn:
            _forget(place)
            _note(costs, "run", bench.run(place, dsn))
            if not turn:
                floor.keep_rows(dsn, prepared)
        _note(costs, "floor", bench.floor(prepared))
    found = {name: median(each) for name, each in costs.items()}
    return Found(
        case="snapshots", rows=rows, costs=found, ratios=(_ratio("run to floor", found["run"], found["floor"]),)
    )


def start(bench: Bench, rows: int) -> Found:
    """`--help`, and `demo` once the set-up is done. `rows` mean nothing here."""
    costs: dict[str, list[Cost]] = {}
    for _ in range(bench.turns):
        place = bench.place("start")
        _note(costs, "help", bench.meter.command([*COMMAND, "--help"], cwd=place, environment={}))
        _note(costs, "demo", bench.meter.command([*COMMAND, "demo", "--dir", "demo"], cwd=place, environment={}))
    found = {name: median(each) for name, each in costs.items()}
    ratios = (
        Ratio(name="help seconds", value=found["help"].seconds, goal=0.4),
        Ratio(name="demo seconds", value=found["demo"].seconds, goal=30.0),
    )
    return Found(case="start", rows=rows, costs=found, ratios=ratios)


CASES: Final[Mapping[str, tuple[Callable[[Bench, int], Found], int]]] = {
    "first": (first, 1_000_000),
    "candles": (candles, 5_000_000),
    "ten": (ten, 1_000_000),
    "grown": (grown, 1_000_000),
    "many": (many, 100_000),
    "snapshots": (snapshots, 1_000_000),
    "start": (start, 0),
}
"""Every case with the rows that its goal is about."""


def measure(bench: Bench, case: str, rows: int | None) -> tuple[Found, float]:
    """Measure a case; what it gave and how long that took."""
    begun = time.perf_counter()
    run, usual = CASES[case]
    return run(bench, usual if rows is None else rows), time.perf_counter() - begun
