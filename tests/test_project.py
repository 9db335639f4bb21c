"""The project file: what it gives, what it refuses, and that what a variable holds is never shown."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consolidate.errors import Problem, UsageError
from consolidate.model import RejectCode
from consolidate.project import Project, examine, load

if TYPE_CHECKING:
    from collections.abc import Mapping

CANARY = "c4nary-p4ss"
DSN = f"postgresql://bot:{CANARY}@db.example/trading"

ONE = """\
version: 1
sources:
  momentum:
    mapping: own
    path: data/trading.db
    bot: {id: momentum_001, deployment_mode: demo, initial_capital: 10000}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    return tmp_path


def loaded(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> Project:
    file = folder / "consolidate.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment or {})


def refused(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(UsageError) as caught:
        loaded(folder, text, environment)
    assert CANARY not in str(caught.value)
    return caught.value.problems


def only(problems: tuple[Problem, ...]) -> tuple[str, int, int | None, str]:
    (problem,) = problems
    assert problem.location is not None
    assert problem.hint is not None
    return problem.code, problem.location.line, problem.location.column, f"{problem.message}; {problem.hint}"


def bot(fields: str) -> str:
    return ONE.replace("{id: momentum_001, deployment_mode: demo, initial_capital: 10000}", f"{{{fields}}}")


def described(fields: str) -> str:
    return bot(f"id: m, deployment_mode: demo, initial_capital: 1, {fields}")


def source(line: str) -> str:
    return ONE.replace("    path: data/trading.db\n", f"    {line}\n")


def test_the_smallest_file_gives_a_project_with_the_embedded_target_and_no_tolerance(folder: Path) -> None:
    project = loaded(folder, ONE)
    assert project.target is None
    assert (project.max_rejects, project.accept) == (0, ())
    assert project.folder == folder
    assert project.state_folder == folder / ".consolidate"
    (momentum,) = project.sources
    assert (momentum.name, momentum.mapping, momentum.path) == ("momentum", folder / "own", folder / "data/trading.db")
    assert (momentum.dsn, momentum.schema, momentum.time_zone) == (None, None, None)
    (its_bot,) = momentum.bots
    assert (its_bot.id, its_bot.route, its_bot.default) == ("momentum_001", None, True)
    assert [(entry.name, entry.value) for entry in its_bot.attributes] == [
        ("deployment_mode", "demo"),
        ("initial_capital", "10000"),
    ]


def test_everything_a_project_can_say_is_taken(folder: Path) -> None:
    text = """\
version: 1
target: ${TARGET}
sources:
  short:
    mapping: own
    dsn: ${DSN}
    schema: trading
    time_zone: Europe/London
    bots:
      demo: {id: a, deployment_mode: demo, initial_capital: 10_000, default: true}
      live: {id: b, deployment_mode: live, initial_capital: "0.00000001", status: null, max_positions: 3}
limits: {max_rejects: 7, accept: [unmatched_close, inexact, inexact]}
""".replace("10_000", "10000.50")
    project = loaded(folder, text, {"TARGET": DSN, "DSN": "host=db dbname=x"})
    assert project.target == DSN
    assert project.accept == (RejectCode.UNMATCHED_CLOSE, RejectCode.INEXACT)
    assert project.max_rejects == 7
    (short,) = project.sources
    assert (short.dsn, short.path, short.schema, short.time_zone) == (
        "host=db dbname=x",
        None,
        "trading",
        "Europe/London",
    )
    assert [(one.route, one.id, one.default) for one in short.bots] == [("demo", "a", True), ("live", "b", False)]
    values = {entry.name: entry.value for entry in short.bots[1].attributes}
    assert values == {
        "deployment_mode": "live",
        "initial_capital": "0.00000001",
        "status": None,
        "max_positions": "3",
    }


def test_the_digest_is_of_the_text_before_variables_are_filled_in(folder: Path) -> None:
    text = f"target: ${{T}}\n{ONE}"
    digests = {loaded(folder, text, {"T": f"postgresql://{name}/x"}).digest for name in ("a", "b")}
    assert digests == {hashlib.sha256(text.encode()).hexdigest()}


def test_no_secret_is_in_the_repr_of_a_project(folder: Path) -> None:
    text = f"target: ${{T}}\n{source('dsn: ${T}')}".replace("id: momentum_001", "id: m, api_key_hash: '${T}'")
    project = loaded(folder, text, {"T": DSN})
    assert CANARY not in repr(project)
    assert DSN in project.filled_in


def test_a_missing_file_names_the_command_that_writes_one(folder: Path) -> None:
    with pytest.raises(UsageError, match="consolidate init") as caught:
        load(folder / "consolidate.yaml", {})
    assert caught.value.problems[0].code == "no-project-file"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"- a\n", b"a: [", b"x" * 1_000_001])
def test_what_is_no_yaml_map_is_refused_without_a_traceback(folder: Path, content: bytes) -> None:
    (folder / "consolidate.yaml").write_bytes(content)
    with pytest.raises(UsageError):
        load(folder / "consolidate.yaml", {})


def test_a_folder_in_the_place_of_the_file_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(folder, {})


def test_all_problems_are_told_at_once_each_with_its_place(folder: Path) -> None:
    text = """\
version: 2
targets: x
sources:
  one two: {mapping: nowhere, path: x, bot: {id: b}}
limits: {max_rejects: -1, accept: [unmatched]}
"""
    problems = refused(folder, text)
    assert [(problem.code, str(problem.location).rsplit("yaml:", 1)[1]) for problem in problems] == [
        ("bad-version", "1:10"),
        ("unknown-key", "2:1"),
        ("bad-source-name", "4:3"),
        ("unknown-mapping", "4:22"),
        ("missing-key", "4:45"),
        ("missing-key", "4:45"),
        ("bad-value", "5:23"),
        ("unknown-code", "5:36"),
    ]
    assert problems[1].hint == "did you mean `target`?"
    assert problems[-1].hint == "did you mean `unmatched_close`?"


# Variables


@pytest.mark.parametrize(("environment", "state"), [({}, "not set"), ({"TARGET": ""}, "empty")])
def test_an_unset_or_empty_variable_is_refused_and_never_the_embedded_target(
    folder: Path, environment: dict[str, str], state: str
) -> None:
    code, line, column, told = only(refused(folder, f"target: ${{TARGET}}\n{ONE}", environment))
    assert (code, line, column) == ("unset-variable", 1, 9)
    assert f"TARGET is {state}" in told


@pytest.mark.parametrize("text", ["", " ", "~", "''", "null"])
def test_a_target_that_says_nothing_is_refused_and_never_the_embedded_target(folder: Path, text: str) -> None:
    assert only(refused(folder, f"target: {text}\n{ONE}"))[:2] == ("missing-key", 1)


def test_variables_are_filled_in_anywhere_in_a_scalar_and_only_once(folder: Path) -> None:
    text = source("path: '${A}/x-${B}$$${C}'")
    project = loaded(folder, text, {"A": "/data", "B": "${A}", "C": "$$"})
    assert project.sources[0].path == Path("/data/x-${A}$$$")


@pytest.mark.parametrize("text", ["${}", "${A", "${A-B}", "${A:-x}", "${1}"])
def test_what_is_no_variable_is_refused(folder: Path, text: str) -> None:
    assert only(refused(folder, source(f"path: '{text}'"), {"A": "a"}))[0] == "bad-variable"


def test_a_dollar_that_begins_no_variable_stays(folder: Path) -> None:
    assert loaded(folder, source("path: /a/$b$")).sources[0].path == Path("/a/$b$")


@pytest.mark.parametrize(
    "text",
    [
        ONE.replace("momentum_001", "'${X}'"),
        ONE.replace("demo", "'${X}'"),
        ONE.replace("10000", "'${X}'"),
        ONE.replace("own", "'${X}'"),
        ONE.replace("version: 1", "version: '${X}'"),
        ONE + "target: ${X}\n",
        ONE + "limits: {max_rejects: '${X}'}\n",
        ONE + "limits: {accept: ['${X}']}\n",
        source("path: a\n    time_zone: '${X}'"),
        source("path: '${X}'").replace("}}", "}"),
        source("dsn: '${X}'"),
        source("dsn: 'postgresql://x'\n    schema: '${X}'"),
        described("status: '${X}'"),
        described("default: '${X}'"),
        described("max_positions: '${X}'"),
        described("max_drawdown_pct: '${X}'"),
        described("configurations: [{key: a, value: 1, type: '${X}'}]"),
        described("configurations: [{key: '${X}', value: 1}]"),
    ],
)
def test_what_a_variable_holds_is_in_no_message(folder: Path, text: str) -> None:
    secret = f"a://{CANARY}" + "x" * 101
    file = folder / "consolidate.yaml"
    file.write_text(text, encoding="utf-8")
    told = [str(problem) for problem in examine(file, {"X": secret}).problems]
    assert told
    assert not [line for line in told if CANARY in line]


def test_bots_of_one_id_are_refused_without_showing_what_the_variables_hold(folder: Path) -> None:
    text = described("default: true").replace("id: m,", "id: '${X}',")
    twice = text + text.partition("sources:\n")[2].replace("momentum:", "other:")
    code, line, _, told = only(refused(folder, twice, {"X": CANARY}))
    assert (code, line) == ("duplicate-bot-id", 10)
    assert "'${X}'" in told
    assert "consolidate.yaml:6:15" in told


@pytest.mark.parametrize("value", ["a\0b", "a\udce4b"])
def test_a_variable_that_no_database_can_hold_is_refused(folder: Path, value: str) -> None:
    assert only(refused(folder, described("description: '${X}'"), {"X": value}))[0] == "bad-text"


def test_a_text_that_no_database_can_hold_is_refused(folder: Path) -> None:
    assert only(refused(folder, described('description: "a\\0b"')))[0] == "bad-text"


# Sources


@pytest.mark.parametrize("name", ["a b", "x" * 61, "'a/b'", "'..'", "ä", "''"])
def test_a_source_name_that_cannot_name_a_file_is_refused(folder: Path, name: str) -> None:
    assert only(refused(folder, ONE.replace("momentum:", f"{name}:")))[0] == "bad-source-name"


def test_source_names_that_differ_in_letter_case_only_are_refused(folder: Path) -> None:
    again = ONE.partition("sources:\n")[2].replace("momentum:", "MOMENTUM:").replace("_001", "_002")
    code, line, _, told = only(refused(folder, ONE + again))
    assert (code, line) == ("duplicate-source", 7)
    assert "line 3" in told


def test_an_unknown_mapping_is_refused_with_the_nearest_name(folder: Path) -> None:
    told = only(refused(folder, ONE.replace("own", "shortsell")))[3]
    assert "did you mean `shortseller`?" in told


def test_a_bundled_mapping_is_found_by_its_name(folder: Path) -> None:
    mapping = loaded(folder, ONE.replace("own", "momentum")).sources[0].mapping
    assert (mapping.name, mapping.is_dir()) == ("momentum", True)
    assert not mapping.is_relative_to(folder)


def test_a_folder_named_by_a_path_wins_over_a_bundled_one(folder: Path) -> None:
    (folder / "momentum").mkdir()
    assert loaded(folder, ONE.replace("own", "./momentum")).sources[0].mapping == folder / "momentum"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("~/x", "/home/me/x"), ("~", "/home/me"), ("/a/*.json", "/a/*.json"), ("../x", "{parent}/x")],
)
def test_paths_are_relative_to_the_file_or_the_home(folder: Path, path: str, expected: str) -> None:
    project = loaded(folder, source(f"path: '{path}'"), {"HOME": "/home/me"})
    assert project.sources[0].path == Path(expected.format(parent=folder.parent))


@pytest.mark.parametrize(
    "zone", ["Europe/Londn", "europe/london", "/etc/passwd", "../UTC", "Europe", "localtime", "x\\0"]
)
def test_a_time_zone_that_does_not_exist_everywhere_is_refused(folder: Path, zone: str) -> None:
    code, line, _, told = only(refused(folder, source(f'path: a\n    time_zone: "{zone}"')))
    assert (code in {"unknown-time-zone", "bad-text"}, line) == (True, 6)
    assert "London" in told or "take it out" in told or "did you mean" in told


def test_a_source_with_two_places_or_none_is_refused(folder: Path) -> None:
    assert only(refused(folder, source("path: a\n    dsn: postgresql://x")))[0] == "dsn-and-path"
    assert only(refused(folder, source("")))[0] == "missing-key"


def test_a_connection_string_under_path_is_refused_and_not_shown(folder: Path) -> None:
    assert only(refused(folder, source(f"path: {DSN}")))[0] == "bad-path"


def test_what_is_no_connection_string_is_refused_and_not_shown(folder: Path) -> None:
    assert only(refused(folder, source(f"dsn: '{CANARY}'")))[0] == "bad-connection-string"
    assert only(refused(folder, f"target: '{CANARY}'\n{ONE}"))[0] == "bad-connection-string"


def test_a_schema_without_a_dsn_is_refused(folder: Path) -> None:
    assert only(refused(folder, source("path: a\n    schema: trading")))[0] == "bad-value"


def test_a_source_that_is_not_there_is_told_with_the_nearest_name(folder: Path) -> None:
    project = loaded(folder, ONE)
    assert project.source("momentum") is project.sources[0]
    with pytest.raises(UsageError, match="did you mean `momentum`"):
        project.source("momentun")


# Bots


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ("deployment_mode: demo, initial_capital: 1", "missing-key"),
        ("id: m, initial_capital: 1", "missing-key"),
        ("id: m, deployment_mode: demo", "missing-key"),
        ("id: m, deployment_mode: null, initial_capital: 1", "missing-value"),
        ("id: m, deployment_mode: Demo, initial_capital: 1", "bad-value"),
        ("id: m, deployment_mode: demo, initial_capital: 1, colour: red", "unknown-key"),
        (f"id: {'m' * 51}, deployment_mode: demo, initial_capital: 1", "bad-bot-id"),
        ('id: "m\\n1", deployment_mode: demo, initial_capital: 1', "bad-bot-id"),
        ("id: ' m', deployment_mode: demo, initial_capital: 1", "bad-bot-id"),
    ],
)
def test_a_bot_that_cannot_be_registered_is_refused(folder: Path, fields: str, code: str) -> None:
    assert only(refused(folder, bot(fields)))[0] == code


@pytest.mark.parametrize(
    "value", ["'10,000'", "10_000", "NaN", "Infinity", "-1", "1e4", "0x10", "1.000000001", "1000000000000", "٣", "''"]
)
def test_an_initial_capital_that_the_column_cannot_hold_exactly_is_refused(folder: Path, value: str) -> None:
    assert only(refused(folder, bot(f"id: m, deployment_mode: demo, initial_capital: {value}")))[0] == "bad-value"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.10", "1.1"),
        ("010", "10"),
        ("999999999999.99999999", "999999999999.99999999"),
        (".5", "0.5"),
        ("1.0000000000", "1"),
    ],
)
def test_an_initial_capital_is_exact(folder: Path, value: str, text: str) -> None:
    attributes = (
        loaded(folder, bot(f"id: m, deployment_mode: demo, initial_capital: {value}")).sources[0].bots[0].attributes
    )
    assert attributes[1].value == text


@pytest.mark.parametrize(
    "field",
    [
        "max_positions: 1.5",
        "max_positions: 2147483648",
        "max_positions: -1",
        "max_drawdown_pct: 10",
        "max_drawdown_pct: 0.00001",
        "status: running",
        f"bot_name: {'x' * 101}",
        f"exchange: {'x' * 51}",
        "default: maybe",
    ],
)
def test_an_attribute_that_its_column_cannot_hold_is_refused(folder: Path, field: str) -> None:
    assert only(refused(folder, described(field)))[0] == "bad-value"


def test_an_attribute_that_must_not_be_null_is_refused_as_null(folder: Path) -> None:
    assert only(refused(folder, described("bot_name: ~")))[0] == "missing-value"
    assert only(refused(folder, described("bot_name: ' '")))[0] == "missing-value"


def test_a_source_with_bot_and_bots_or_neither_is_refused(folder: Path) -> None:
    both = ONE + "    bots: {demo: {id: b, deployment_mode: demo, initial_capital: 1}}\n"
    assert only(refused(folder, both))[0] == "bot-and-bots"
    assert only(refused(folder, ONE[: ONE.index("    bot:")]))[0] == "missing-key"
    assert only(refused(folder, ONE[: ONE.index("    bot:")] + "    bots: {}\n"))[0] == "missing-key"
    assert only(refused(folder, ONE[: ONE.index("    bot:")] + "    bots: {demo: }\n"))[0] == "missing-key"
    assert only(refused(folder, ONE[: ONE.index("    bot:")] + "    bot: momentum_001\n"))[0] == "not-a-map"


def test_routes_that_differ_in_letter_case_only_are_refused(folder: Path) -> None:
    fields = "deployment_mode: demo, initial_capital: 1"
    text = ONE[: ONE.index("    bot:")] + f"    bots: {{demo: {{id: a, {fields}}}, ' Demo': {{id: b, {fields}}}}}\n"
    assert only(refused(folder, text))[0] == "duplicate-route"


def test_a_second_default_bot_is_refused(folder: Path) -> None:
    fields = "deployment_mode: demo, initial_capital: 1, default: true"
    text = ONE[: ONE.index("    bot:")] + f"    bots: {{demo: {{id: a, {fields}}}, live: {{id: b, {fields}}}}}\n"
    assert only(refused(folder, text))[0] == "second-default"


def test_a_bot_id_used_twice_is_refused_with_both_places(folder: Path) -> None:
    again = ONE.partition("sources:\n")[2].replace("momentum:", "other:")
    code, line, _, told = only(refused(folder, ONE + again))
    assert (code, line) == ("duplicate-bot-id", 10)
    assert "consolidate.yaml:6:15" in told
    assert "'momentum_001' of source 'other'" in told


# Configurations


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.10", "1.10"),
        ("12345678901234567890.123456789012345678901234567890", "12345678901234567890.123456789012345678901234567890"),
        ("-0", "-0"),
        ("1e5", "1e5"),
        ("true", "true"),
        ("null", "null"),
        ("~", "null"),
        ("'null'", '"null"'),
        ("010", '"010"'),
        ("on", '"on"'),
        ("12:30:45", '"12:30:45"'),
        ("NaN", '"NaN"'),
        ("''", '""'),
        ("'say \"ä\"'", '"say \\"ä\\""'),
        ("[1, a, [true]]", '[1, "a", [true]]'),
        ("{b: 1, a: {c: '${X}'}}", '{"b": 1, "a": {"c": "$x"}}'),
        ("[]", "[]"),
        ("{}", "{}"),
    ],
)
def test_a_configuration_keeps_every_digit_and_guesses_no_type(folder: Path, value: str, expected: str) -> None:
    text = described(f"configurations: [{{key: a, value: {value}, type: risk_params}}]")
    (configuration,) = loaded(folder, text, {"X": "$x"}).sources[0].bots[0].configurations
    assert (configuration.key, configuration.value_json, configuration.type) == ("a", expected, "risk_params")


@pytest.mark.parametrize(
    ("configurations", "code"),
    [
        ("{a: 1}", "not-a-list"),
        ("[a]", "not-a-map"),
        ("[{value: 1}]", "missing-key"),
        ("[{key: a}]", "missing-key"),
        ("[{key: a, value: 1}, {key: a, value: 2}]", "duplicate-configuration"),
        ("[{key: a, value: 1, version: 2}]", "unknown-key"),
        ('[{key: a, value: {"\\0": 1}}]', "bad-text"),
        ("[{key: a, value: 1e99999}]", "bad-value"),
        (f"[{{key: a, value: 1{'0' * 1000}}}]", "bad-value"),
        (f"[{{key: {'a' * 101}, value: 1}}]", "bad-value"),
    ],
)
def test_a_configuration_that_cannot_be_stored_is_refused(folder: Path, configurations: str, code: str) -> None:
    assert only(refused(folder, described(f"configurations: {configurations}")))[0] == code


# A project that is wrong


def test_a_wrong_project_still_gives_its_sources_so_that_their_mappings_can_be_checked(folder: Path) -> None:
    file = folder / "consolidate.yaml"
    file.write_text(source("dsn: ${NOT_SET}\n    time_zone: Nowhere"), encoding="utf-8")
    examined = examine(file, {})
    assert [problem.code for problem in examined.problems] == ["unset-variable", "unknown-time-zone"]
    assert examined.project is not None
    assert [(one.name, one.dsn, one.time_zone) for one in examined.project.sources] == [("momentum", "", "UTC")]


PARTS = st.sampled_from(
    [
        *ONE.splitlines(),
        "version",
        ": ",
        "\n",
        "  ",
        "${",
        "}",
        "${A}",
        "$",
        "[",
        "]",
        "{",
        "limits:",
        "bots:",
        "configurations: ",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PARTS).map("\n".join), st.lists(PARTS).map("".join))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(text=TEXTS, value=st.text())
def test_any_text_gives_a_project_or_located_problems(folder: Path, text: str, value: str) -> None:
    file = folder / "consolidate.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    examined = examine(file, {"A": value})
    assert examined.problems or examined.project is not None
    assert all(problem.location is not None for problem in examined.problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(content=st.binary(), position=st.integers(0, len(ONE)))
def test_any_bytes_give_a_project_or_problems(folder: Path, content: bytes, position: int) -> None:
    file = folder / "consolidate.yaml"
    file.write_bytes(ONE[:position].encode() + content + ONE[position:].encode())
    examined = examine(file, {})
    assert examined.problems or examined.project is not None
