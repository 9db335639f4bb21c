"""Suites against Great Expectations' own definitions: each expectation built by its own class, or located problems."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from consolidate.mapping.yaml import Mapping, Node, Problems, Scalar, Sequence, nearest
from consolidate.validate import engine
from consolidate.validate.language import ROWS_QUERY

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation as Built

    from consolidate.validate.language import Expectation

_NUMBER: Final = re.compile(r"[+-]?(\d+(?P<fraction>\.\d*)?|(?P<leading>\.\d+))(?P<exponent>[eE][+-]?\d+)?")
_OURS: Final = frozenset(
    {
        "catch_exceptions",
        "description",
        "id",
        "meta",
        "notes",
        "rendered_content",
        "result_format",
        "severity",
        "windows",
    }
)
"""Fields of every expectation that are said elsewhere in a suite file, or not at all."""
_NEEDS_MORE: Final = frozenset(
    {"expect_query_results_to_match_comparison", "expect_table_row_count_to_equal_other_table"}
)
"""They ask a second data source, which a suite has not; a query says the same."""


def built(expectation: Expectation, problems: Problems) -> Built | None:
    """The expectation as Great Expectations makes it; None, with problems noted, where it refuses."""
    engine.require()
    from pydantic.v1 import ValidationError  # noqa: PLC0415 - comes with the library

    before = len(problems)
    kind: Any = _class_of(expectation, problems)
    if kind is None:
        return None
    known = sorted(set(kind.__fields__) - _OURS)
    for entry in expectation.arguments:
        if entry.key not in known:
            hint = nearest(entry.key, known) or f"arguments of it are: {', '.join(known)}"
            problems.add(
                "unknown-argument", f"{entry.key!r} is no argument of {expectation.kind}", entry.location, hint
            )
    if expectation.kind == ROWS_QUERY:
        _check_query(expectation, problems)
    if len(problems) > before:
        return None
    arguments = {entry.key: _value(entry.value) for entry in expectation.arguments}
    try:
        made: Built = kind(**arguments, severity=expectation.severity, description=expectation.why)
    except ValidationError as error:
        for one in error.errors():
            _note(expectation, one, problems)
    except (TypeError, ValueError) as error:
        problems.add("wrong-argument", f"{expectation.kind}: {error}", expectation.kind_location)
    else:
        return made
    return None


def _class_of(expectation: Expectation, problems: Problems) -> type[Built] | None:
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    if expectation.kind == ROWS_QUERY:
        from consolidate.validate.rows_query import UnexpectedRows  # noqa: PLC0415 - as above

        return UnexpectedRows
    names = [name for name in list_registered_expectation_implementations() if name not in _NEEDS_MORE]
    if expectation.kind in names:
        found: type[Built] = get_expectation_impl(expectation.kind)
        return found
    hint = nearest(expectation.kind, names) or "the gallery of Great Expectations lists them"
    if expectation.kind in _NEEDS_MORE:
        hint = f"it asks a second data source; write a query under `{ROWS_QUERY}`"
    message = f"Great Expectations has no expectation {expectation.kind!r} that runs here"
    problems.add("unknown-expectation", message, expectation.kind_location, hint)
    return None


def _check_query(expectation: Expectation, problems: Problems) -> None:
    """A query names its rows as `{batch}` and nothing else in braces, and is one `select`."""
    node = expectation.arguments.get("unexpected_rows_query")
    if not isinstance(node, Scalar) or node.text is None:
        message = f"{expectation.kind} needs `unexpected_rows_query`"
        problems.add("missing-argument", message, expectation.kind_location, "add `unexpected_rows_query: select …`")
        return
    hint = "the rows are `{batch}`: `select trade_id from {batch} where …`; a brace of SQL itself is written twice"
    try:
        names = {name for _, name, _, _ in Formatter().parse(node.text) if name is not None}
    except ValueError as error:
        problems.add("wrong-argument", f"the query has a brace without its partner: {error}", node.location, hint)
        return
    if names != {"batch"}:
        found = ", ".join(sorted(f"{{{name}}}" for name in names)) or "nothing"
        problems.add("wrong-argument", f"the query names {found} in braces, not {{batch}}", node.location, hint)


def _note(expectation: Expectation, error: Any, problems: Problems) -> None:  # noqa: ANN401 - a dictionary of pydantic
    """One refusal of the class, at the argument that it is about."""
    name = str(error["loc"][0]) if error["loc"] else ""
    entry = next((entry for entry in expectation.arguments if entry.key == name), None)
    if error["type"] == "value_error.missing":
        message = f"{expectation.kind} needs `{name}`"
        problems.add("missing-argument", message, expectation.kind_location, f"add `{name}: …`")
    elif entry is None:
        problems.add("wrong-argument", f"{expectation.kind}: {error['msg']}", expectation.kind_location)
    else:
        problems.add("wrong-argument", f"{name!r} of {expectation.kind}: {error['msg']}", entry.value.location)


def _value(node: Node) -> object:
    """What the library gets: plain `true`, `false`, null and numbers as such, everything else as text."""
    match node:
        case Scalar(text=text, plain=plain):
            return _plain(text) if plain else text
        case Sequence(items=items):
            return [_value(item) for item in items]
        case Mapping():
            return {entry.key: _value(entry.value) for entry in node}


def _plain(text: str | None) -> object:
    if text is None or text in {"true", "false"}:
        return None if text is None else text == "true"
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if any(number.group(part) for part in ("fraction", "leading", "exponent")) else int(text)
