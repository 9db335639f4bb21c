"""Suites run by Great Expectations where the rows are: one verdict for each expectation, and every failing row."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from consolidate.model import CheckResult, Progress
from consolidate.report.cells import rows as counted
from consolidate.target.contract import expected
from consolidate.validate.grounds import key_columns
from consolidate.validate.language import ROWS_QUERY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.expectation import Expectation as Built
    from great_expectations.validator.validator import Validator

    from consolidate.validate.grounds import Ground
    from consolidate.validate.language import Expectation

_NUMBER: Final = "consolidate"
_LONGEST: Final = 300
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An expectation as the suite says it, and as Great Expectations made it."""

    said: Expectation
    built: Built


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one ended. `result` is the library's own account of it, for its Data Docs."""

    check: CheckResult
    result: ExpectationValidationResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All verdicts, in the order of the suites; and the tables of which nothing was asked, because they are empty."""

    verdicts: tuple[Verdict, ...]
    without_rows: tuple[str, ...]

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The verdicts as a report has them."""
        return tuple(verdict.check for verdict in self.verdicts)


def judge(
    ground: Ground,
    asked: Sequence[Asked],
    rows: Mapping[str, int],
    folder: Path,
    observe: Callable[[Progress], None] = lambda _: None,
) -> Judged:
    """Judge every expectation that there is something to judge by; write the failing rows below `folder`.

    `rows` tells how many each unified table has. Of a table without rows only what is about the table itself is asked.
    An expectation that raised is "errored", never passed.
    """
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

    # One for all tables: it closes the connections of `ground.engine` when it is forgotten.
    asking = SqlAlchemyExecutionEngine(engine=ground.engine, create_temp_table=False)
    verdicts: dict[int, Verdict] = {}
    for table, count in rows.items():
        of_table = [
            (number, one)
            for number, one in enumerate(asked)
            if one.said.table == table and (count or not _is_about_rows(one.built))
        ]
        if not of_table:
            continue
        total = len(of_table)
        observe(Progress(stage="validate", subject=table, done=0, total=total, unit="expectations"))
        verdicts.update(_Table(ground, asking, table, count, folder).judged(of_table))
        observe(Progress(stage="validate", subject=table, done=total, total=total, unit="expectations"))
    return Judged(
        verdicts=tuple(verdicts[number] for number in sorted(verdicts)),
        without_rows=tuple(table for table, count in rows.items() if not count and not table.startswith("archive.")),
    )


def _is_about_rows(one: Built) -> bool:
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
    from great_expectations.expectations.expectation import (
        ColumnMapExpectation,
        ColumnPairMapExpectation,
        MulticolumnMapExpectation,
    )

    kinds = (UnexpectedRowsExpectation, ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
    return isinstance(one, kinds)


class _Table:
    """The expectations on one table, asked together: Great Expectations joins their counts into few queries."""

    def __init__(self, ground: Ground, asking: SqlAlchemyExecutionEngine, table: str, rows: int, folder: Path) -> None:
        self._ground = ground
        self._table = table
        self._rows = rows
        self._folder = folder
        self._validator = _validator(asking, table)

    def judged(self, asked: Sequence[tuple[int, Asked]]) -> dict[int, Verdict]:
        about_rows = [(number, one) for number, one in asked if _is_about_rows(one.built)]
        others = [(number, one) for number, one in asked if not _is_about_rows(one.built)]
        results = self._results(about_rows, {"result_format": "BOOLEAN_ONLY"})
        results |= self._results(others, {"result_format": "BASIC"})
        return {number: self._verdict(one, results.get(number)) for number, one in asked}

    def _results(
        self, asked: Sequence[tuple[int, Asked]], result_format: dict[str, object]
    ) -> dict[int, ExpectationValidationResult]:
        if not asked:
            return {}
        configurations = []
        for number, one in asked:
            configuration = one.built.configuration
            configuration.meta = {_NUMBER: number}
            configurations.append(configuration)
        found = self._validator.graph_validate(
            configurations=configurations,
            runtime_configuration={"result_format": result_format, "catch_exceptions": True},
        )
        return {result.expectation_config.meta[_NUMBER]: result for result in found}  # type: ignore[union-attr] # we gave it

    def _verdict(self, asked: Asked, result: ExpectationValidationResult | None) -> Verdict:
        from great_expectations.core.expectation_validation_result import (
            ExpectationValidationResult,
        )

        said = asked.said
        check = CheckResult(
            suite=said.suite,
            name=said.name,
            expectation=said.kind,
            table=said.table,
            column=asked.built.configuration.kwargs.get("column"),
            severity=said.severity,
            status="errored",
            observed="it did not run",
            why=said.why,
            location=said.location,
        )
        if result is None:
            result = ExpectationValidationResult(success=False, expectation_config=asked.built.configuration)
            return Verdict(check=check, result=result)
        raised = _raised(result)
        if raised is not None:
            return Verdict(check=replace(check, observed=raised), result=result)
        check = replace(check, status="passed" if result.success else "failed")
        if _is_about_rows(asked.built):
            return self._with_rows(check, asked, result)
        value = (result.result or {}).get("observed_value")
        return Verdict(check=replace(check, observed="nothing" if value is None else str(value)), result=result)

    def _with_rows(self, check: CheckResult, asked: Asked, result: ExpectationValidationResult) -> Verdict:
        """The verdict with how many rows fail, and a file of them where some do."""
        whole = counted(self._rows, "row")
        if result.success:
            result.result = {"element_count": self._rows, "observed_value": 0}
            return Verdict(check=replace(check, observed=f"none of {whole}", failing=0), result=result)
        query = self._failing_query(asked)
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{_UNSAFE.sub('-', asked.said.suite)}-{_UNSAFE.sub('-', asked.said.name)}.csv"
        failing = self._ground.export(query, self._table, file)
        result.result = {"element_count": self._rows, "observed_value": failing.rows}
        observed = f"{failing.rows:,} of {whole}" if asked.said.kind != ROWS_QUERY else counted(failing.rows, "row")
        check = replace(check, observed=observed, failing=failing.rows, failing_keys=failing.keys, failing_file=file)
        return Verdict(check=check, result=result)

    def _failing_query(self, asked: Asked) -> str:
        """SQL for all rows that the expectation found, with their keys."""
        if asked.said.kind == ROWS_QUERY:
            return str(asked.built.configuration.kwargs["unexpected_rows_query"]).format(batch=self._table)
        contract = expected().table(self._table)
        if contract is None:
            raise ValueError(self._table)
        kind: Any = type(asked.built)
        name = f"{kind.map_metric}.unexpected_index_query"
        from great_expectations.expectations.registry import get_metric_kwargs
        from great_expectations.validator.metric_configuration import (
            MetricConfiguration,
        )

        keys = list(key_columns(contract))
        runtime = {
            "result_format": {
                "result_format": "COMPLETE",
                "unexpected_index_column_names": keys,
                "return_unexpected_index_query": True,
            }
        }
        kwargs = get_metric_kwargs(
            metric_name=name, configuration=asked.built.configuration, runtime_configuration=runtime
        )
        query = self._validator.get_metric(
            MetricConfiguration(
                metric_name=name,
                metric_domain_kwargs=kwargs["metric_domain_kwargs"],
                metric_value_kwargs=kwargs["metric_value_kwargs"],
            )
        )
        return str(query).strip().rstrip(";")


def _validator(asking: SqlAlchemyExecutionEngine, table: str) -> Validator:
    from great_expectations.core.batch import Batch
    from great_expectations.execution_engine.sqlalchemy_batch_data import (
        SqlAlchemyBatchData,
    )
    from great_expectations.validator.validator import Validator

    schema, _, name = table.partition(".")
    batch: Any = SqlAlchemyBatchData(
        execution_engine=asking, schema_name=schema, table_name=name, create_temp_table=False
    )
    validator = Validator(execution_engine=asking, batches=[Batch(data=batch)])
    validator.metrics_calculator.show_progress_bars = False
    return validator


def _raised(result: ExpectationValidationResult) -> str | None:
    """What an expectation that did not run raised; None where it ran."""
    told = result.exception_info or {}
    each = [told] if "raised_exception" in told else list(told.values())
    for one in each:
        raised = one.get("raised_exception") if isinstance(one, dict) else getattr(one, "raised_exception", False)
        if raised:
            message = one.get("exception_message") if isinstance(one, dict) else one.exception_message
            return " ".join(str(message).split("[SQL:", 1)[0].split())[:_LONGEST] or "it raised"
    return None
