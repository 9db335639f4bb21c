"""Reports as JSON, the published shapes: keys may be added, those that are here do not change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from consolidate.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consolidate.cases.outcome import CaseReport, Difference
    from consolidate.errors import Location, Problem
    from consolidate.model import (
        BotMoney,
        CheckResult,
        InspectedColumn,
        Reject,
        RunReport,
        SinceLastRun,
        SourceInspection,
    )

REPORT: Final = "consolidate.report/1"
CHECK: Final = "consolidate.check/1"
INSPECTION: Final = "consolidate.inspect/1"
SCHEMA: Final = "consolidate.schema/1"
INIT: Final = "consolidate.init/1"
TEST: Final = "consolidate.test/1"
SCAFFOLD: Final = "consolidate.scaffold/1"

Document: TypeAlias = dict[str, Any]
"""A JSON object: text, whole numbers, seconds, null, and lists and objects of them. Decimals are text."""


def text_of(document: Document) -> str:
    """The document as JSON text that ends with a line end; what is no Unicode text in it is escaped."""
    encoded = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return encoded.encode(errors="backslashreplace").decode() + "\n"


def run(report: RunReport) -> Document:
    """A run, a plan or a verification, with the keys in the published order; ours that were added follow."""
    return {
        "schema": REPORT,
        "command": report.command,
        "run_id": report.run_id,
        "status": report.status,
        "exit_code": int(report.exit_code),
        "sources": [
            {
                "source": counts.source,
                "table": counts.table,
                "read": counts.read,
                "mapped": counts.mapped,
                "merged": counts.merged,
                "rejected": counts.rejected,
                "filtered": counts.filtered,
                "archived": counts.archived,
            }
            for counts in report.sources
        ],
        "targets": [
            {
                "table": counts.table,
                "bot_id": counts.bot_id,
                "candidate": counts.candidate,
                "insert": counts.insert,
                "update": counts.update,
                "unchanged": counts.unchanged,
                "conflict": counts.conflict,
            }
            for counts in report.targets
        ],
        "rejects": [reject(one) for one in report.rejects],
        "rejects_file": _path(report.rejects_file),
        "checks": [check(one) for one in report.checks],
        "controls": [
            {
                "table": control.table,
                "bot_id": control.bot_id,
                "measure": control.measure,
                "source_value": control.source_value,
                "rejected_value": control.rejected_value,
                "rejected_reason": control.rejected_reason,
                "target_value": control.target_value,
                "difference": control.difference,
                "status": control.status,
            }
            for control in report.controls
        ],
        "seconds": {stage: round(seconds, 3) for stage, seconds in report.seconds},
        **_added(report),
    }


def _added(report: RunReport) -> Document:
    return {
        "target": report.target,
        "run_dir": str(report.run_dir),
        "limits": {"max_rejects": report.max_rejects, "accept": [str(code) for code in report.accepted_codes]},
        "reject_groups": [{"count": group.count, "example": reject(group.example)} for group in report.reject_groups],
        "roundings": [
            {
                "source": rounding.source,
                "table": rounding.table,
                "target": rounding.target,
                "column": rounding.column,
                "rows": rounding.rows,
                "largest_change": rounding.largest_change,
                "location": str(rounding.location),
            }
            for rounding in report.roundings
        ],
        "references": [
            {
                "kind": one.kind,
                "source": one.source,
                "bot_id": one.bot_id,
                "from": one.origin,
                "to": one.pointed,
                "rows": one.rows,
                "targets": one.targets,
                "missing": one.missing,
                "rejected": one.rejected,
                "other_bot": one.other_bot,
                "held": one.held,
                "policy": one.policy,
            }
            for one in report.references
        ],
        "money": [_money(one) for one in report.money],
        "money_before": [_money(one) for one in report.money_before],
        "since": _since(report.since),
        "changed": [
            {
                "table": row.table,
                "bot_id": row.bot_id,
                "key": row.key,
                "action": row.action,
                "reason": row.reason,
                "cells": [{"column": column, "old": old, "new": new} for column, old, new in row.cells],
                "origins": [{"source": source, "table": table, "key": key} for source, table, key in row.origins],
            }
            for row in report.changed
        ],
        "tables_without_rows": list(report.tables_without_rows),
        "suites_not_asked": report.suites_not_asked,
        "data_docs": _path(report.data_docs),
        "notices": [{"code": notice.code, "message": notice.message} for notice in report.notices],
        "problems": list(report.problems),
    }


def _money(one: BotMoney) -> Document:
    return {
        "bot_id": one.bot_id,
        "trades": one.trades,
        "open_positions": one.open_positions,
        "pnl_usd": one.pnl_usd,
        "fees": one.fees,
        "equity": one.equity,
    }


def _since(last: SinceLastRun | None) -> Document | None:
    if last is None:
        return None
    return {
        "run_id": last.run_id,
        "finished_at": last.finished_at,
        "new_sources": list(last.new_sources),
        "gone_sources": list(last.gone_sources),
        "tables": [
            {"source": one.source, "table": one.table, "before": one.before, "now": one.now} for one in last.tables
        ],
        "rejects": [{"code": one.code, "new": one.new, "gone": one.gone} for one in last.rejects],
    }


def reject(one: Reject) -> Document:
    """One rejected row; also a line of the file of rejects."""
    return {
        "source": one.source,
        "table": one.table,
        "key": one.key,
        "code": str(one.code),
        "column": one.column,
        "value": one.value,
        "location": _place(one.location),
    }


def check(one: CheckResult) -> Document:
    """How an expectation of a suite ended. `failing` counts the rows that `failing_file` lists, all of them."""
    return {
        "suite": one.suite,
        "expectation": one.expectation,
        "severity": one.severity,
        "status": one.status,
        "observed": one.observed,
        "name": one.name,
        "table": one.table,
        "column": one.column,
        "why": one.why,
        "location": str(one.location),
        "failing": one.failing,
        "failing_keys": list(one.failing_keys),
        "failing_file": _path(one.failing_file),
    }


def failure(command: str, exit_code: ExitCode, problems: Sequence[str]) -> Document:
    """A run that ended before it had anything to report, in the shape of `run`. `problems` are as printed."""
    return {
        "schema": REPORT,
        "command": command,
        "run_id": None,
        "status": "failed",
        "exit_code": int(exit_code),
        "sources": [],
        "targets": [],
        "rejects": [],
        "rejects_file": None,
        "checks": [],
        "controls": [],
        "seconds": {},
        "problems": list(problems),
    }


def refusal(schema: str, command: str, exit_code: ExitCode, problems: Sequence[Problem]) -> Document:
    """What stopped a command that is no run, in the shape that begins every document."""
    return {
        "schema": schema,
        "command": command,
        "exit_code": int(exit_code),
        "problems": [problem(one) for one in problems],
    }


def schema(*, state: str | None, target: str | None, ddl: str | None) -> Document:
    """What became of the schema: `state` "made" or "present" in `target`, or, where it was only asked for, its DDL."""
    return {
        **refusal(SCHEMA, "schema", ExitCode.DONE, ()),
        "state": state,
        "target": target,
        "ddl": ddl,
    }


def initialised(file: Path) -> Document:
    """The project file that was written."""
    return {**refusal(INIT, "init", ExitCode.DONE, ()), "file": str(file)}


def problem(one: Problem) -> Document:
    """One thing that is wrong. `line` and `column` count from 1."""
    where = one.location
    return {
        "code": one.code,
        "message": one.message,
        "hint": one.hint,
        "file": None if where is None else where.file,
        "line": None if where is None else where.line,
        "column": None if where is None else where.column,
    }


def inspection(found: SourceInspection, exit_code: ExitCode) -> Document:
    """What a source holds; texts as stored."""
    return {
        **refusal(INSPECTION, "inspect", exit_code, found.uncovered),
        "source": found.source,
        "kind": str(found.kind),
        "origin": found.origin,
        "tables": [
            {
                "name": table.name,
                "kind": table.kind,
                "rows": table.rows,
                "covered": table.covered,
                "columns": [_column(column) for column in table.columns],
            }
            for table in found.tables
        ],
    }


def drafted(
    folder: Path, files: Sequence[str], mapped: Sequence[tuple[str, str]], ignored: Sequence[str], questions: int
) -> Document:
    """The draft of a mapping: its files, which unified table each source table goes to, and how much is open."""
    return {
        **refusal(SCAFFOLD, "scaffold", ExitCode.DONE, ()),
        "folder": str(folder),
        "files": list(files),
        "tables": [{"table": table, "target": target} for table, target in mapped],
        "ignored": list(ignored),
        "questions": questions,
    }


def tested(report: CaseReport) -> Document:
    """What came of cases; `cells` of a whole row are those that are not null."""
    return {
        **refusal(TEST, "test", report.exit_code, ()),
        "cases": [
            {
                "case": one.name,
                "file": str(one.file),
                "status": one.status,
                "exit_code": int(one.exit_code),
                "rows": one.rows,
                "rejects": one.rejects,
                "seconds": one.seconds,
                "differences": [_difference(difference) for difference in one.differences],
                "problems": [problem(found) for found in one.problems],
                "written": list(one.written),
            }
            for one in report.outcomes
        ],
        "seconds": report.seconds,
    }


def _difference(one: Difference) -> Document:
    return {
        "table": one.table,
        "key": one.key,
        "kind": one.kind,
        "column": one.column,
        "expected": one.expected,
        "got": one.got,
        "cells": dict(one.cells),
        "from": one.origin,
        "locations": list(one.locations),
    }


def _column(column: InspectedColumn) -> Document:
    return {
        "name": column.name,
        "stored_type": column.stored_type,
        "declared": column.declared,
        "covered": column.covered,
        "nulls": column.nulls,
        "classes": dict(column.classes),
        "distinct": [{"value": value, "count": count} for value, count in column.distinct],
        "minimum": column.minimum,
        "maximum": column.maximum,
        "order": column.order,
        "strays": column.strays,
    }


def _place(location: Location | None) -> str | None:
    return None if location is None else str(location)


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
