"""Decimals stay decimals in Great Expectations, which makes floats of them. Imported only when it is loaded."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from great_expectations.execution_engine import sqlalchemy_execution_engine
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from great_expectations.expectations.expectation import Expectation

_COMPARED: Final = frozenset({"max_value", "min_value", "sum_total", "value_pairs_set", "value_set"})
"""Arguments that are compared with cells, or with what is computed of cells."""


def restore(made: Expectation, arguments: Mapping[str, object]) -> None:
    """Give the expectation the numbers back that it compares with; its class made floats of them."""
    made.__dict__.update({name: value for name, value in arguments.items() if name in _COMPARED and _has_number(value)})


def keep_decimals() -> None:
    """From now on expectations compare with the numbers that were written, and a query's decimals stay what they are.

    The library offers no place for either: it makes expectations of their configurations again and again, and floats
    of what a query returns. So both functions of it are wrapped; what is no decimal is as it makes it.
    """
    made_of: Any = ExpectationConfiguration.to_domain_obj
    converted: Any = sqlalchemy_execution_engine.convert_to_json_serializable  # type: ignore[attr-defined] # imported there

    def made(configuration: ExpectationConfiguration) -> Expectation:
        expectation: Expectation = made_of(configuration)
        restore(expectation, configuration.kwargs)
        return expectation

    def kept(data: object) -> object:
        return data if isinstance(data, Decimal) else converted(data=data)

    ExpectationConfiguration.to_domain_obj = made  # type: ignore[assignment,method-assign] # as said above
    sqlalchemy_execution_engine.convert_to_json_serializable = kept  # type: ignore[assignment,attr-defined] # as said above


def _has_number(value: object) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_number, value))
    return type(value) in {int, Decimal}
