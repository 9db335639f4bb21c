"""Suites against Great Expectations' own definitions: each expectation built by its own class, or located problems."""

from __future__ import annotations

import re
from decimal import Decimal
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

from consolidate.mapping.yaml import Mapping, Node, Problems, Scalar, Sequence, nearest
from consolidate.validate import engine
from consolidate.validate.language import QUERY, ROWS_QUERY

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation as Built

    from consolidate.validate.language import Expectation

_NUMBER: Final = re.compile(r"[+-]?(\d+(?P<fraction>\.\d*)?|(?P<leading>\.\d+))(?P<exponent>[eE][+-]?\d+)?")
_WHOLE: Final = "__root__"
_FORMS: Final = {
    "bool": "true or false",
    "date": "a date such as 2025-10-01",
    "datetime": "a time such as 2025-10-01T08:00:00",
    "float": "a number",
    "integer": "a whole number",
    "list": "a list",
    "str": "a text",
    "strictbool": "true or false",
}
"""What the library calls a type that it wants, and what to write."""
_COLON: Final = re.compile(r"(?<![:\w\\]):(?=\w)")
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
_NOT_IN_SQL: Final = frozenset(
    {
        "expect_column_kl_divergence_to_be_less_than",
        "expect_column_values_to_be_dateutil_parseable",
        "expect_column_values_to_be_decreasing",
        "expect_column_values_to_be_increasing",
        "expect_column_values_to_be_json_parseable",
        "expect_column_values_to_match_json_schema",
        "expect_column_values_to_match_like_pattern",
        "expect_column_values_to_match_like_pattern_list",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_regex_list",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_not_be_outliers",
        "expect_column_values_to_not_match_like_pattern",
        "expect_column_values_to_not_match_like_pattern_list",
        "expect_column_values_to_not_match_regex",
        "expect_column_values_to_not_match_regex_list",
    }
)
"""The library cannot ask them of SQL at all, or not of DuckDB."""
_TYPES: Final = frozenset(
    {"expect_column_type_to_be", "expect_column_values_to_be_in_type_list", "expect_column_values_to_be_of_type"}
)
"""What they compare with is called differently in DuckDB and in PostgreSQL."""


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
    arguments = _values(expectation)
    given = {name: _native(value) for name, value in arguments.items()}
    try:
        made: Built = kind(**given, severity=expectation.severity, description=expectation.why)
    except ValidationError as error:
        _note(expectation, error.errors(), problems)
    except (TypeError, ValueError) as error:
        problems.add("wrong-argument", f"{expectation.kind}: {error}", expectation.kind_location)
    else:
        from consolidate.validate.exact import restore  # noqa: PLC0415 - as above

        restore(made, arguments)
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
    unfit = _NEEDS_MORE | _NOT_IN_SQL | _TYPES
    names = [name for name in list_registered_expectation_implementations() if name not in unfit]
    if expectation.kind in names:
        found: type[Built] = get_expectation_impl(expectation.kind)
        return found
    hint = _instead(expectation.kind) or nearest(expectation.kind, names) or "its gallery lists them"
    message = f"Great Expectations has no expectation {expectation.kind!r} that runs here"
    problems.add("unknown-expectation", message, expectation.kind_location, hint)
    return None


def _instead(kind: str) -> str | None:
    """What to write in place of an expectation that is one, but cannot be asked here."""
    if kind in _NEEDS_MORE:
        return f"it asks a second data source; write a query under `{ROWS_QUERY}`"
    if kind in _NOT_IN_SQL:
        return f"it cannot ask that of DuckDB; write a query under `{ROWS_QUERY}`; `like` and `similar to` judge texts"
    if kind in _TYPES:
        return "types have other names in DuckDB; the types of all columns are judged already, by the suite `across`"
    return None


def _check_query(expectation: Expectation, problems: Problems) -> None:
    """A query names its rows as `{batch}` and nothing else in braces, and is one `select`."""
    node = expectation.arguments.get(QUERY)
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


def _note(expectation: Expectation, errors: list[Any], problems: Problems) -> None:
    """What the class refuses, once for each argument, at its place; what follows from that is left out."""
    by_name: dict[str, list[Any]] = {}
    for error in errors:
        by_name.setdefault(str(error["loc"][0]) if error["loc"] else _WHOLE, []).append(error)
    if len(by_name) > 1:
        by_name.pop(_WHOLE, None)
    for name, found in by_name.items():
        entry = next((entry for entry in expectation.arguments if entry.key == name), None)
        said = "; ".join(dict.fromkeys(str(error["msg"]) for error in found))
        if any(error["type"] == "value_error.missing" for error in found):
            message = f"{expectation.kind} needs `{name}`"
            problems.add("missing-argument", message, expectation.kind_location, f"add `{name}: …`")
        elif entry is None:
            where = expectation.kind_location
            problems.add("wrong-argument", f"{expectation.kind}: {said}", where, "see its page in the gallery")
        else:
            forms = [_FORMS[kind] for error in found for kind in _FORMS if str(error["type"]).endswith(f".{kind}")]
            hint = f"it takes {' or '.join(dict.fromkeys(forms))}" if forms else "see its page in the gallery"
            message = f"{name!r} of {expectation.kind}: {said}"
            problems.add("wrong-argument", message, entry.value.location, hint)


def _value(node: Node) -> object:
    """What is meant: plain `true`, `false`, null and numbers as such, everything else as text. No float anywhere."""
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
    return Decimal(text) if any(number.group(part) for part in ("fraction", "leading", "exponent")) else int(text)


def _values(expectation: Expectation) -> dict[str, object]:
    found = {entry.key: _value(entry.value) for entry in expectation.arguments}
    if expectation.kind == ROWS_QUERY:
        # The library makes SQL of a text in which `:name` is a value that is still to come.
        found[QUERY] = _COLON.sub(r"\\:", str(found[QUERY]))
    return found


def _native(value: object) -> object:
    """As the classes of the library take it, which know no decimals."""
    match value:
        case Decimal():
            return float(value)
        case list():
            return [_native(one) for one in value]
        case dict():
            return {name: _native(one) for name, one in value.items()}
        case _:
            return value
