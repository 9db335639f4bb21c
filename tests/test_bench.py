"""The benchmark measures what it says; how fast we are is not for a test to say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from consolidate.postgres import connect
from consolidate.target import schema
from tests.bench import floor
from tests.bench.cases import CASES, Bench, measure
from tests.bench.measuring import Meter

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.embedded import Server


@pytest.fixture
def bench(postgres_server: Server, tmp_path: Path) -> Bench:
    postgres_server.create("consolidate")
    made = Bench(server=postgres_server, meter=Meter(os.getpid()), folder=tmp_path, turns=1)
    made.make_template()
    return made


def test_a_first_load_is_measured_against_the_floor_of_the_same_rows(bench: Bench) -> None:
    found, _ = measure(bench, "first", 300)
    ratios = {ratio.name: ratio for ratio in found.ratios}
    assert {"run to floor", "again to run", "plan to run", "run to script per row written"} <= set(ratios)
    assert found.costs["run"].inserted == 602
    assert found.costs["again"].inserted == 0
    assert found.costs["run"].peak > 2**20
    assert found.costs["run"].own > 0
    assert set(found.costs["run"].stages) >= {"extract", "transform", "diff", "load", "reconcile"}


def test_the_floor_ends_with_the_keys_and_indexes_of_the_schema(bench: Bench) -> None:
    place = bench.place("rows")
    with bench.database() as dsn:
        with connect(dsn, what="the floor") as connection:
            connection.execute(
                b"insert into trading.bots (bot_id, bot_name, bot_type, strategy_name, deployment_mode,"
                b" initial_capital) values ('a', 'a', 'custom', 's', 'demo', 1)"
            )
            connection.commit()
        assert floor.keep_rows(dsn, place) == 1
    with bench.database() as dsn:
        again = floor.bare(dsn, place)
        with connect(dsn, what="the floor") as connection:
            assert isinstance(schema.state(connection), schema.Differing)
        floor.load(dsn, place, again)
        with connect(dsn, what="the floor") as connection:
            assert isinstance(schema.state(connection), schema.Present)


def test_every_case_is_there() -> None:
    assert set(CASES) == {"first", "candles", "ten", "grown", "many", "snapshots", "start"}
