"""Suites run by Great Expectations where the rows are: one verdict for each expectation, and every failing row."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final

from consolidate.errors import UnreachableError
from consolidate.model import CheckResult, Progress
from consolidate.report.cells import rows as counted
from consolidate.run_folder import writing
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
_UNEXPECTED_NONE: Final = {"unexpected_count": 0, "unexpected_percent": 0.0}
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
    for table, number_of in rows.items():
        of_table = [
            (number, one)
            for number, one in enumerate(asked)
            if one.said.table == table and (number_of or not _is_about_rows(one.built))
        ]
        if not of_table:
            continue
        total = len(of_table)
        observe(Progress(stage="validate", subject=table, done=0, total=total, unit="expectations"))
        verdicts.update(_Table(ground, asking, table, number_of, folder).judged(of_table))
        observe(Progress(stage="validate", subject=table, done=total, total=total, unit="expectations"))
    return Judged(
        verdicts=tuple(verdicts[number] for number in sorted(verdicts)),
        without_rows=tuple(table for table, some in rows.items() if not some and not table.startswith("archive.")),
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


def _may_fail(asked: Asked) -> bool:
    """Whether it passes also where some rows fail."""
    return bool(asked.built.configuration.kwargs.get("mostly", 1) != 1)


class _Table:
    """The expectations on one table, asked together: Great Expectations joins their counts into few queries."""

    def __init__(self, ground: Ground, asking: SqlAlchemyExecutionEngine, table: str, rows: int, folder: Path) -> None:
        self._ground = ground
        self._table = table
        self._rows = rows
        self._folder = folder
        self._asking = asking
        self._validator = _validator(asking, table)

    def judged(self, asked: Sequence[tuple[int, Asked]]) -> dict[int, Verdict]:
        about_rows = [(number, one) for number, one in asked if _is_about_rows(one.built)]
        others = [(number, one) for number, one in asked if not _is_about_rows(one.built)]
        results = self._results([one for one in about_rows if not _may_fail(one[1])], {"result_format": "BOOLEAN_ONLY"})
        others += [one for one in about_rows if _may_fail(one[1])]
        results |= self._results(others, {"result_format": "BASIC"})
        return {number: self._verdict(one, results.get(number)) for number, one in asked}

    def _results(
        self, asked: Sequence[tuple[int, Asked]], result_format: dict[str, object]
    ) -> dict[int, ExpectationValidationResult]:
        """What became of each, by its number. One that stops the library stops no other: then each is asked alone."""
        if not asked:
            return {}
        try:
            found = self._together(asked, result_format)
        except Exception as error:  # noqa: BLE001 - it becomes the result of the one that raised it
            if len(asked) == 1:
                return {asked[0][0]: _stopped(asked[0][1], error)}
            found = {}
        if len(asked) > 1 and all(_raised(one) is not None for one in found.values()):
            return {number: result for one in asked for number, result in self._results([one], result_format).items()}
        return found

    def _together(
        self, asked: Sequence[tuple[int, Asked]], result_format: dict[str, object]
    ) -> dict[int, ExpectationValidationResult]:
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
        unexpected = (result.result or {}).get("unexpected_count")
        if result.success and unexpected:
            observed = f"{unexpected:,} of {whole}, which `mostly` allows"
            return Verdict(check=replace(check, observed=observed, failing=unexpected), result=result)
        if result.success:
            result.result = {"element_count": self._rows, "observed_value": 0, **_UNEXPECTED_NONE}
            return Verdict(check=replace(check, observed=f"none of {whole}", failing=0), result=result)
        try:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                file = self._file(asked)
                failing = self._ground.export(self._failing(asked), self._table, file)
        except UnreachableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever refuses it: it failed, and its rows cannot be told
            said = f"it failed, and its rows cannot be listed: {_in_short(error)}"
            return Verdict(check=replace(check, status="errored", observed=said), result=result)
        share = 100 * failing.rows / max(self._rows, 1)
        result.result = {"element_count": self._rows, "observed_value": failing.rows}
        result.result |= {"unexpected_count": failing.rows, "unexpected_percent": share}
        observed = f"{failing.rows:,} of {whole}" if asked.said.kind != ROWS_QUERY else counted(failing.rows, "row")
        check = replace(check, observed=observed, failing=failing.rows, failing_keys=failing.keys, failing_file=file)
        return Verdict(check=check, result=result)

    def _file(self, asked: Asked) -> Path:
        """The file for its rows. Names that are the same as file names get a number."""
        stem = f"{_UNSAFE.sub('-', asked.said.suite)}-{_UNSAFE.sub('-', asked.said.name)}"
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        return next(file for file in (self._folder / f"{name}.csv" for name in names) if not file.exists())

    def _failing(self, asked: Asked) -> Any:  # noqa: ANN401 - text or a statement
        """All rows that the expectation found: their keys, and the columns that it is about.

        The library has a query for them too, but one that forgets `row_condition`, and the key of what is unique
        together.
        """
        if asked.said.kind == ROWS_QUERY:
            return asked.said.query
        contract = expected().table(self._table)
        if contract is None:
            raise ValueError(self._table)
        import sqlalchemy as sa  # noqa: PLC0415 - comes with the library
        from great_expectations.expectations.registry import get_metric_kwargs
        from great_expectations.validator.metric_configuration import MetricConfiguration

        kind: Any = type(asked.built)
        name = f"{kind.map_metric}.condition"
        kwargs = get_metric_kwargs(metric_name=name, configuration=asked.built.configuration, runtime_configuration={})
        condition, domain, about = self._validator.get_metric(
            MetricConfiguration(
                metric_name=name,
                metric_domain_kwargs=kwargs["metric_domain_kwargs"],
                metric_value_kwargs=kwargs["metric_value_kwargs"],
            )
        )
        names = [about[key] for key in ("column", "column_A", "column_B") if key in about]
        wanted = dict.fromkeys([*key_columns(contract), *names, *about.get("column_list", ())])
        query: Any = sa.select(*(sa.column(one) for one in wanted))
        if kind.map_metric == "compound_columns.unique":  # its condition is about a query of all columns
            return query.where(condition)
        records: Any = self._asking.get_domain_records(domain_kwargs=domain)
        rows = records.subquery() if isinstance(records, sa.Select) else records
        if kind.map_metric == "column_values.unique":  # its condition is about a query that lacks the keys
            column: Any = sa.column(about["column"])
            condition = column.in_(sa.select(column).select_from(rows).group_by(column).having(sa.func.count() > 1))
        return query.select_from(rows).where(condition)


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


def _stopped(asked: Asked, error: Exception) -> ExpectationValidationResult:
    """The result of an expectation that the library could not even begin with."""
    from great_expectations.core.expectation_validation_result import (
        ExpectationValidationResult,
    )

    told = {"raised_exception": True, "exception_message": f"{type(error).__name__}: {error}"}
    return ExpectationValidationResult(success=False, expectation_config=asked.built.configuration, exception_info=told)


def _raised(result: ExpectationValidationResult) -> str | None:
    """What an expectation that did not run raised; None where it ran."""
    told = result.exception_info or {}
    each = [told] if "raised_exception" in told else list(told.values())
    for one in each:
        raised = one.get("raised_exception") if isinstance(one, dict) else getattr(one, "raised_exception", False)
        if raised:
            message = one.get("exception_message") if isinstance(one, dict) else one.exception_message
            return _in_short(message) or "it raised"
    return None


def _in_short(message: object) -> str:
    """The first of what was raised, on one line, without the statement."""
    return " ".join(str(message).split("[SQL:", 1)[0].split())[:_LONGEST]
