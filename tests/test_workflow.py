"""The GitHub Actions workflow in the README: valid, with the rights it needs and no more, and commands that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from consolidate.cli.app import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    (text,) = re.findall(r"```yaml\n# \.github/workflows/plan\.yml\n(.*?)```", README, flags=re.DOTALL)
    found: dict[Any, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - texts only: `on` stays `on`
    return found


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow["jobs"]["plan"]["steps"]
    return found


def commands(script: str) -> list[list[str]]:
    """The calls of `consolidate` in a script, each as its words."""
    joined = script.replace("\\\n", " ")
    return [shlex.split(call) for call in re.findall(r"consolidate ([a-z][^|&\n]*)", joined)]


def test_it_runs_on_pull_requests_with_the_rights_to_read_and_to_comment(workflow: dict[Any, Any]) -> None:
    assert workflow["on"] == "pull_request"
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "permissions" not in workflow["jobs"]["plan"]


def test_actions_are_pinned_to_a_major_version(workflow: dict[Any, Any]) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v[0-9]+", one) for one in used)


def test_scripts_are_bash_and_take_nothing_of_the_pull_request_into_their_text(workflow: dict[Any, Any]) -> None:
    for step in steps(workflow):
        script = step.get("run", "true")
        subprocess.run(["bash", "-n", "-c", script], check=True)  # noqa: S607 - the one on the path
        assert "${{" not in script


def test_its_commands_exist_with_these_options(workflow: dict[Any, Any]) -> None:
    verbs: dict[str, Any] = vars(get_command(app))["commands"]
    called = [call for step in steps(workflow) for call in commands(step.get("run", ""))]
    assert [call[0] for call in called] == ["demo", "plan"]
    for verb, *words in called:
        known = {option for parameter in verbs[verb].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known
    assert "--create-if-none" in next(step["run"] for step in steps(workflow) if step.get("name") == "Comment")
