"""What a suite file says, as frozen values. Standard library and located YAML only: reading suites starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consolidate.mapping.yaml import Scalar

if TYPE_CHECKING:
    from pathlib import Path

    from consolidate.errors import Location
    from consolidate.mapping.yaml import Mapping

CRITICAL: Final = "critical"
WARNING: Final = "warning"
SEVERITIES: Final = (CRITICAL, WARNING)
ROWS_QUERY: Final = "unexpected_rows_expectation"
"""Great Expectations' name for a query that finds the rows that are wrong."""
QUERY: Final = "unexpected_rows_query"
"""Its argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation of a suite. `kind` is Great Expectations' own name, `arguments` are as written.

    `table` is the unified table whose rows it judges. `location` is the place of its name, `kind_location` that of
    its kind.
    """

    suite: str
    name: str
    table: str
    kind: str
    arguments: Mapping
    severity: str
    why: str
    location: Location
    kind_location: Location

    @property
    def query(self) -> str:
        """The query of a `ROWS_QUERY`, over its table; every row that it finds is wrong."""
        node = self.arguments.get(QUERY)
        return node.text.format(batch=self.table) if isinstance(node, Scalar) and node.text is not None else ""

    @property
    def title(self) -> str:
        """The name by which reports and failing rows call it."""
        return f"{self.suite}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The expectations of one file. `shipped`: it came with the tool and was proven by its tests."""

    name: str
    file: Path
    shipped: bool
    expectations: tuple[Expectation, ...]
