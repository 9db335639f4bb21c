"""One report of every kind, with what is unpleasant in it; the golden files are made of these."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from consolidate.errors import Location, Problem
from consolidate.model import (
    BotMoney,
    CheckResult,
    Control,
    InspectedColumn,
    InspectedTable,
    Notice,
    ReferenceCounts,
    Reject,
    RejectCode,
    RejectGroup,
    Rounding,
    RunReport,
    SourceCounts,
    SourceInspection,
    SourceKind,
    TargetCounts,
)

_TRADES = "mappings/momentum/trades.yaml"
_SIDE = Reject(
    source="momentum",
    table="trades",
    key="12",
    code=RejectCode.UNMAPPED_VALUE,
    column="side",
    value="[bold]Hold\x1b[31m\n\u202e",
    location=Location(file=_TRADES, line=14, column=11),
)
_CLOSE = Reject(
    source="lxalgo",
    table="trade_events",
    key="BTCUSDT|Rule 6",
    code=RejectCode.UNMATCHED_CLOSE,
    column=None,
    value=None,
    location=Location(file="mappings/lxalgo/trade_events.yaml", line=9, column=1),
)
_NULL = Reject(
    source="momentum",
    table="trades",
    key="13",
    code=RejectCode.MISSING_VALUE,
    column="quantity",
    value=None,
    location=None,
)
_SOURCES: Final = (
    SourceCounts(source="momentum", table="trades", read=1234567, mapped=1234565, rejected=2),
    SourceCounts(source="momentum", table="daily_snapshots", read=2, mapped=1, filtered=1),
    SourceCounts(source="lxalgo", table="trade_events", read=107, mapped=58, merged=36, rejected=13),
)

REFERENCES: Final = (
    ReferenceCounts(
        kind="source",
        source="momentum",
        bot_id="momentum_001",
        origin="signals.[bold]trade_id",
        pointed="trades",
        policy="null",
        rows=9,
        targets=8,
        missing=1,
    ),
    ReferenceCounts(
        kind="target",
        source="momentum",
        bot_id="momentum_001",
        origin="trading.orders.trade_id",
        pointed="trading.trades.trade_id",
        policy="reject",
        rows=1234567,
        targets=1234560,
        missing=2,
        rejected=3,
        other_bot=1,
        held=4,
    ),
    ReferenceCounts(
        kind="target",
        source="momentum",
        bot_id="momentum_001",
        origin="trading.trades.bot_id",
        pointed="trading.bots.bot_id",
        policy="reject",
        rows=1234567,
        targets=1,
    ),
)

_KNOWN: Final = CheckResult(
    suite="trading.trades",
    name="side_is_known",
    expectation="expect_column_values_to_be_in_set",
    table="trading.trades",
    column="side",
    severity="critical",
    status="passed",
    observed="none of 1,234,565 rows",
    why="The target takes no other side.",
    location=Location(file="mappings/expectations/trading.trades.yaml", line=26, column=3),
    failing=0,
)
_GAPS: Final = CheckResult(
    suite="trading.market_data",
    name="no_gap_of_more_than_five_candles",
    expectation="unexpected_rows_expectation",
    table="trading.market_data",
    column=None,
    severity="warning",
    status="failed",
    observed="4 rows",
    why="More than five candles are missing before this one: indicators over the gap are wrong.",
    location=Location(file="mappings/expectations/trading.market_data.yaml", line=70, column=3),
    failing=4,
    failing_keys=("BTCUSDT|1m|2025-01-01 00:00:00", "[bold]\x1b[31m|1m|2025-01-01", "ETHUSDT|1m|2025-01-03"),
    failing_file=Path("/data/my bots/.consolidate/runs/20250102T030405_ab12/failing/trading.market_data-gaps.csv"),
)
LOADED: Final = RunReport(
    command="run",
    run_id="20250102T030405_ab12",
    status="loaded",
    exit_code=0,
    run_dir=Path("/data/my bots/.consolidate/runs/20250102T030405_ab12"),
    target="postgresql://me@db.example:5432/unified",
    sources=_SOURCES,
    targets=(
        TargetCounts(
            table="trading.trades",
            bot_id="momentum_001",
            candidate=1234565,
            insert=1234560,
            update=3,
            unchanged=2,
            conflict=0,
        ),
        TargetCounts(
            table="trading.market_data", bot_id=None, candidate=5, insert=0, update=0, unchanged=5, conflict=0
        ),
    ),
    rejects=(_CLOSE,),
    reject_groups=(RejectGroup(count=13, example=_CLOSE),),
    rejects_file=Path("/data/my bots/.consolidate/runs/20250102T030405_ab12/rejects.jsonl"),
    accepted_codes=("unmatched_close",),
    controls=(
        Control(
            table="trading.trades",
            bot_id="momentum_001",
            measure="sum(quantity)",
            source_value="10.50000000",
            rejected_value="0.00000000",
            target_value="10.50000000",
            difference="0.00000000",
            status="equal",
        ),
    ),
    roundings=(
        Rounding(
            source="momentum",
            table="trades",
            target="trading.trades",
            column="pnl_usd",
            rows=17,
            largest_change="0.0000000049",
            location=Location(file=_TRADES, line=20, column=14),
        ),
    ),
    checks=(_KNOWN, _GAPS),
    tables_without_rows=("config.bot_configurations",),
    money=(
        BotMoney(
            bot_id="momentum_001",
            trades=1234565,
            open_positions=2,
            pnl_usd="-10250.12345678",
            fees=None,
            equity="1000000.00000000",
        ),
    ),
    notices=(Notice(code="open-trade", message="BTCUSDT Rule 6 is open in the log and not in the newest snapshot"),),
    seconds=(("extract", 1.25), ("transform", 0.5), ("diff", 0.125), ("load", 0.4), ("reconcile", 0.02504)),
)

REFUSED: Final = RunReport(
    command="run",
    run_id="20250102T030405_ab13",
    status="refused",
    exit_code=4,
    run_dir=Path("/data/runs/20250102T030405_ab13"),
    target="the embedded PostgreSQL",
    sources=_SOURCES,
    rejects=(_CLOSE, _SIDE, _NULL),
    reject_groups=(
        RejectGroup(count=13, example=_CLOSE),
        RejectGroup(count=2, example=_SIDE),
        RejectGroup(count=1, example=_NULL),
    ),
    rejects_file=Path("/data/runs/20250102T030405_ab13/rejects.jsonl"),
    references=REFERENCES,
    accepted_codes=("unmatched_close",),
    problems=(
        "error[too-many-rejects]: 3 rows are rejected, the limit is 0\nhint: mend them, or raise `limits.max_rejects`",
    ),
    seconds=(("extract", 1.0), ("transform", 0.5)),
)

JUDGED: Final = RunReport(
    command="plan",
    run_id="20250102T030405_ab15",
    status="refused",
    exit_code=4,
    run_dir=Path("/data/runs/20250102T030405_ab15"),
    target="the embedded PostgreSQL",
    sources=_SOURCES,
    checks=(
        _KNOWN,
        replace(
            _KNOWN,
            status="failed",
            observed="2 of 1,234,565 rows",
            failing=2,
            failing_keys=("t1", "t2"),
            failing_file=Path("/data/runs/20250102T030405_ab15/failing/trading.trades-side_is_known.csv"),
        ),
        replace(
            _GAPS,
            suite="momentum/own",
            name="broken",
            status="errored",
            observed='column "nothing" does not exist',
            failing=None,
            failing_keys=(),
            failing_file=None,
        ),
        _GAPS,
    ),
    data_docs=Path("/data/runs/20250102T030405_ab15/data_docs/index.html"),
    problems=(
        (
            "error[suite-failed]: 2 expectations of the suites refuse the load:\n"
            "  - trading.trades/side_is_known: 2 of 1,234,565 rows\n"
            '  - momentum/own/broken: column "nothing" does not exist\n'
            "hint: the rows are in the folder failing of the run"
        ),
    ),
    seconds=(("extract", 1.0), ("transform", 0.5), ("validate", 2.25)),
)

DIFFERENT: Final = RunReport(
    command="run",
    run_id="20250102T030405_ab14",
    status="failed",
    exit_code=5,
    run_dir=Path("/data/runs/20250102T030405_ab14"),
    target="the embedded PostgreSQL",
    controls=(
        Control(
            table="trading.trades",
            bot_id=None,
            measure="count(*)",
            source_value="7",
            rejected_value="0",
            target_value="8",
            difference="1",
            status="different",
        ),
    ),
    problems=("error[reconciliation]: trading.trades differs\nhint: report it",),
)

INSPECTION: Final = SourceInspection(
    source="momentum",
    kind=SourceKind.SQLITE,
    origin="/data/trading.db",
    tables=(
        InspectedTable(
            name="trades",
            kind="table",
            rows=1234,
            covered="mapped",
            columns=(
                InspectedColumn(
                    name="mode",
                    stored_type="text",
                    declared="text",
                    covered=True,
                    nulls=1,
                    classes=(("text", 1233), ("null", 1)),
                    distinct=(("demo", 1000), ("li\x07ve", 233), (None, 1)),
                ),
                InspectedColumn(
                    name="entry_time",
                    stored_type="timestamp",
                    declared="local_time",
                    covered=True,
                    nulls=0,
                    minimum="2024-01-01 00:00:00",
                    maximum="2025-01-01 00:00:00",
                ),
                InspectedColumn(name="checksum", stored_type="", covered=True, nulls=0),
                InspectedColumn(name="[new]", stored_type="", covered=False, nulls=0),
            ),
        ),
        InspectedTable(name="active_positions", kind="view", rows=None, covered="ignored"),
        InspectedTable(name="extra", kind="table", rows=3, covered="unknown"),
    ),
    uncovered=(
        Problem(
            code="unknown-table",
            message="momentum.extra is in no mapping",
            hint="map it, or list it under `ignore` with a reason",
            location=Location(file="mappings/momentum/system.yaml", line=9),
        ),
    ),
)
