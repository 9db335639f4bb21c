"""YAML as located text: nothing guessed, nothing repeated, nothing that grows."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consolidate import project_values
from consolidate.mapping import yaml
from consolidate.mapping.yaml import Mapping, Problems, Scalar


def _read(text: str) -> tuple[Mapping | None, list[tuple[str, str]]]:
    problems = Problems()
    return yaml.parse(text, "f.yaml", problems), [(one.code, str(one.location)) for one in problems.found]


def test_every_scalar_stays_the_text_that_was_written() -> None:
    text = "a: on\nb: 1.10\nc: 010\nd: 12:30:45\ne: '1.10'\nf: 2024-01-01\ng: 0x1F\nh: |\n  x\ni: =\nj: 1_000\n"
    root, problems = _read(text)
    assert problems == []
    assert root is not None
    found = {entry.key: entry.value for entry in root}
    assert {name: value.text for name, value in found.items() if isinstance(value, Scalar)} == {
        "a": "on", "b": "1.10", "c": "010", "d": "12:30:45", "e": "1.10", "f": "2024-01-01", "g": "0x1F", "h": "x\n", "i": "=",
        "j": "1_000",
    }  # fmt: skip
    assert {name for name, value in found.items() if isinstance(value, Scalar) and not value.plain} == {"e", "h"}


def test_null_is_what_stands_without_quotes_only() -> None:
    root, _ = _read("a: ~\nb:\nc: null\nd: 'null'\ne: \"\"\nf: nulls\n")
    assert root is not None
    texts = [entry.value.text for entry in root if isinstance(entry.value, Scalar)]
    assert texts == [None, None, None, "null", "", "nulls"]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: &x 1\nb: *x\n", [("yaml-alias", "f.yaml:1:4"), ("yaml-alias", "f.yaml:2:4")]),
        ("a: &lonely 1\n", [("yaml-alias", "f.yaml:1:4")]),
        ("&m {a: 1}", [("yaml-alias", "f.yaml:1:1")]),
        ("a: *nobody\n", [("yaml-alias", "f.yaml:1:4")]),
        ("a: !!int 5\n", [("yaml-tag", "f.yaml:1:4")]),
        ("a: !!str 5\n", [("yaml-tag", "f.yaml:1:4")]),
        ("a: ! 5\n", [("yaml-tag", "f.yaml:1:4")]),
        ("a: !!python/object/apply:os.system ['true']\n", [("yaml-tag", "f.yaml:1:4")]),
        ("a: {<<: {b: 1}}\n", [("bad-key", "f.yaml:1:5")]),
        ("? [a, b]\n: 1\n", [("bad-key", "f.yaml:1:3")]),
        ("a: 1\nb: 2\na: 3\n", [("duplicate-key", "f.yaml:3:1")]),
        ("a: 1\n'a': 3\n", [("duplicate-key", "f.yaml:2:1")]),
        ("", [("empty-file", "f.yaml:1:1")]),
        ("# only words\n", [("empty-file", "f.yaml:1:1")]),
        ("- a\n", [("not-a-map", "f.yaml:1:1")]),
        ("a: [1\nb: 2\n", [("invalid-yaml", "f.yaml:2:2")]),
        ("a:\n\t- b\n", [("invalid-yaml", "f.yaml:2:1")]),
        ("a: 1\n---\nb: 2\n", [("invalid-yaml", "f.yaml:2:1")]),
        ("a: \x00\n", [("invalid-yaml", "f.yaml:1:1")]),
        ("a: " + "[" * 50 + "]" * 50, [("invalid-yaml", "f.yaml:1:1")]),
    ],
)  # fmt: skip
def test_what_is_not_part_of_the_language_is_a_located_problem(text: str, problems: list[tuple[str, str]]) -> None:
    assert _read(text) == (None, problems)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 100))


@pytest.mark.parametrize(
    "text",
    [LAUGHS, "[" * 150_000, "{a: " * 40_000, "- " * 90_000, "? " * 90_000, "a:\n" * 40_000, "a: &x [*x]\n", "&a " * 50_000, "'" * 190_000],
    ids=["laughs", "lists", "maps", "items", "keys", "doubles", "itself", "anchors", "quotes"],
)  # fmt: skip
def test_a_bomb_is_a_problem_within_seconds(text: str) -> None:
    began = time.monotonic()
    root, problems = _read(text)
    assert root is None
    assert problems
    assert time.monotonic() - began < 20


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="ab:-[]{}&*!?|>'\"%@`,#\n\t ~<", max_size=60)))
def test_any_text_gives_a_map_or_located_problems(text: str) -> None:
    root, problems = _read(text)
    assert (root is None) == bool(problems)
    assert all(where.startswith("f.yaml:") for _, where in problems)


@pytest.mark.parametrize(
    ("written", "json"),
    [
        ("1.10", "1.10"),
        ("'1.10'", '"1.10"'),
        ("true", "true"),
        ('"true"', '"true"'),
        ("[1, '1']", '[1, "1"]'),
        ("'null'", '"null"'),
    ],
)
def test_a_configuration_in_quotes_stays_a_text(written: str, json: str) -> None:
    problems = Problems()
    root = yaml.parse(f"a: {written}\n", "f.yaml", problems)
    assert root is not None
    node = root.get("a")
    assert node is not None
    assert project_values.document(node, "a", project_values.Reading({}, problems)) == json
    assert problems.found == ()
