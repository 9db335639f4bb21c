"""The tutorial of `mappings/README.md`, executed: a bot that nobody has mapped, from nothing to a case that passes."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from consolidate.bundled import folder
from consolidate.cli.app import main

if TYPE_CHECKING:
    import pytest

_BLOCK = re.compile(r"```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
_FILE = re.compile(r"(?:#|--) (?P<name>\S+?\.(?:yaml|sql))(?P<drafted>, as drafted)?\n")


def blocks() -> list[tuple[str, str]]:
    text = (folder("mappings") / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Tutorial.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return [(found["language"], found["text"]) for found in _BLOCK.finditer(section)]


def typed_in(command: str) -> tuple[int, str]:
    """What a person types, for the few programs of the tutorial; `consolidate` in this process."""
    words = shlex.split(command)
    if words[0] == "cat" and "|" in words:
        scripts = words[1 : words.index("|")]
        assert words[words.index("|") + 1] == "sqlite3"
        with closing(sqlite3.connect(words[-1])) as connection:
            connection.executescript("\n".join(Path(name).read_text(encoding="utf-8") for name in scripts))
        return 0, ""
    if words[0] == "cat":
        return 0, Path(words[1]).read_text(encoding="utf-8")
    if words[0] == "cp":
        for file in Path().glob(words[1]):
            shutil.copy(file, words[2])
        return 0, ""
    assert words[0] == "consolidate", command
    return main(words[1:]), ""


def matches(wanted: list[str], got: str) -> str | None:
    """The first wanted line that is not there, in its order; `…` stands for any lines, or for any text in one."""
    rest = [line.strip() for line in got.splitlines()]
    for line in wanted:
        if line == "…":
            continue
        pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
        while rest and not re.fullmatch(pattern, rest[0]):
            rest.pop(0)
        if not rest:
            return line
        rest.pop(0)
    return None


def test_the_tutorial_is_true(
    temporary_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(temporary_folder)
    commands = []
    for language, text in blocks():
        named = _FILE.match(text)
        if language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                code, told = typed_in(command)
                said = capsys.readouterr()
                wanted = [line for line in output.splitlines() if line]
                ended = [int(line.removeprefix("exit ")) for line in wanted if line.startswith("exit ")]
                got = said.out + said.err + told
                assert [code] == (ended or [0]), f"{command}: {got}"
                assert matches([line for line in wanted if not line.startswith("exit ")], got) is None, got
                commands.append(command.split()[:2])
            continue
        assert named is not None, text
        file = Path(named["name"])
        content = text[named.end() :]
        if named["drafted"]:
            assert file.read_text(encoding="utf-8") == content
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    used = {verb for program, verb in commands if program == "consolidate"}
    assert used == {"scaffold", "check", "inspect", "test"}
    assert main(["run", "--quiet"]) == 0
