"""The expectation that a query finds no row, counted by the database. Imported only once the library is loaded."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation_configuration import (
    ExpectationConfiguration,  # noqa: TC002 - pydantic reads the annotations when it makes the class
)
from pydantic.v1 import PrivateAttr


class UnexpectedRows(UnexpectedRowsExpectation):
    """As `UnexpectedRowsExpectation`, but its query runs once, and only the number of rows is fetched.

    The original runs it twice and fetches the first 200 rows. We export all of them, and only where there are any.
    """

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    _once: ExpectationConfiguration | None = PrivateAttr(default=None)

    @property
    def configuration(self) -> ExpectationConfiguration:
        """As the original, but made once: the library asks for it thirty times, and most of its time goes there."""
        if self._once is None:
            self._once = super().configuration
        return self._once

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,  # noqa: ANN401 - the library's signature
    ) -> dict[str, Any]:
        del runtime_configuration, execution_engine
        count = metrics["unexpected_rows_query.row_count"]
        return {"success": count == 0, "result": {"observed_value": count}}
