"""The terminal's summary: read in a minute at any size, and it says what it folded; single rows on demand."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from consolidate.model import BotMoney, ChangedRow, RowsWanted, RunReport, SinceLastRun
from consolidate.report import text
from tests.pages import PICTURED, many
from tests.reports import DIFFERENT, LOADED, REFUSED


def drawn(report: RunReport, width: int, wanted: RowsWanted | None = None) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    for part in (*text.body(report, wanted), *text.ending(report)):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "report",
    [many(), many(1_000, 400), many(3, 40), many(100, 1), LOADED, REFUSED, DIFFERENT, PICTURED],
    ids=["large", "larger", "bots", "sources", "loaded", "refused", "different", "pictured"],
)
def test_a_report_of_any_size_is_read_in_sixty_lines(report: RunReport, width: int) -> None:
    assert len(drawn(report, width)) <= text.MOST_LINES


def test_what_is_folded_is_told_with_the_way_to_see_it() -> None:
    shown = "\n".join(drawn(many(), 120))
    for told in ("bots folded: `--table TABLE` or `--bot BOT`", "more codes: ", "more notes; `--json`", "100 sources"):
        assert told in shown


def test_a_report_that_fits_shows_every_bot_of_every_table() -> None:
    few = many(2, 2)
    report = dataclasses.replace(few, targets=few.targets[:8], reject_groups=(), notices=(), problems=(), checks=())
    shown = "\n".join(drawn(report, 120))
    assert shown.count("  bot_001") == 4
    assert "folded" not in shown


def test_the_money_before_stands_above_the_money_after() -> None:
    after = BotMoney(bot_id="one", trades=2, open_positions=1, pnl_usd="3.5", fees=None, equity="103.5")
    before = dataclasses.replace(after, trades=1, pnl_usd="1.25", equity="101.25")
    same = dataclasses.replace(after, bot_id="same")
    new = dataclasses.replace(after, bot_id="new")
    report = dataclasses.replace(LOADED, money=(after, same, new), money_before=(before, same))
    lines = [line.split() for line in drawn(report, 120)]
    place = next(number for number, line in enumerate(lines) if line[:2] == ["one", "before"])
    assert lines[place][2:] == ["1", "1", "1.25", "–", "101.25"]  # noqa: RUF001 - the dash is what is shown
    assert lines[place + 1] == ["after", "2", "1", "3.50", "–", "103.50"]  # noqa: RUF001 - as above
    assert ["same", "same"] in [line[:2] for line in lines]
    assert ["new", "new"] in [line[:2] for line in lines]


def test_a_run_like_the_last_one_says_so_in_one_line() -> None:
    last = SinceLastRun(run_id="r1", finished_at="2025-01-01T00:00:00Z")
    targets = tuple(dataclasses.replace(one, insert=0, update=0) for one in LOADED.targets)
    report = dataclasses.replace(LOADED, command="plan", status="planned", since=last, targets=targets)
    shown = drawn(report, 120)
    assert "new since run r1: nothing; the same sources, numbers of rows, and rejects" in shown
    assert shown[-1].startswith("nothing new: 7 rows unchanged; ")


ROWS = (
    ChangedRow(
        table="trading.trades",
        bot_id="one",
        key="t1",
        action="conflict",
        reason="changed in the source and in the target since it was loaded",
        cells=(("pnl_usd", "1.00000000", "2.00000000"),),
        origins=(("momentum", "trades", "1"),),
    ),
    ChangedRow(table="trading.trades", bot_id="one", key="t2", cells=(("notes", None, "[bold]\x1b[31m"),)),
    ChangedRow(table="trading.trades", bot_id="one", key="", action="insert", cells=(("symbol", None, "BTCUSDT"),)),
)


def test_single_rows_show_their_cells_old_and_new() -> None:
    targets = (dataclasses.replace(LOADED.targets[0], bot_id="one", insert=2, update=1, conflict=1),)
    report = dataclasses.replace(LOADED, targets=targets, changed=ROWS)
    shown = "\n".join(drawn(report, 120, RowsWanted(most=3, bot="one")))
    assert "! trading.trades t1  one  from momentum.trades 1" in shown
    assert "pnl_usd  target '1.00000000', source '2.00000000'" in shown
    assert "changed in the source and in the target since it was loaded" in shown
    assert "notes  null → '[bold]\\x1b[31m'" in shown
    assert "+ trading.trades (its number comes with the load)" in shown
    assert "symbol  'BTCUSDT'" in shown
    assert "3 of 4 rows shown: `--rows 4` shows all of them" in shown
