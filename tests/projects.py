"""Projects over fixture stores, as an operator writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consolidate import fixtures

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "shortseller": """\
  shortseller:
    mapping: shortseller
    dsn: ${SHORTSELLER_DSN}
    bot: {id: shortseller_001, deployment_mode: demo, initial_capital: 10000}
""",
    "momentum": """\
  momentum:
    mapping: momentum
    path: momentum/trading.db
    time_zone: Europe/London
    bots:
      demo: {id: momentum_demo_001, deployment_mode: demo, initial_capital: 10000}
      live: {id: momentum_001, deployment_mode: live, initial_capital: 10000, default: true}
""",
    "lxalgo": """\
  lxalgo:
    mapping: lxalgo
    path: lxalgo
    bot: {id: lxalgo_001, deployment_mode: demo, initial_capital: 10000}
""",
}


def write(folder: Path, *systems: str, limits: str = "{accept: [unmatched_close]}") -> Path:
    """Write a project file with these sources; the target is that of the variable TARGET."""
    file = folder / "consolidate.yaml"
    sources = "".join(SOURCES[system] for system in systems)
    file.write_text(f"version: 1\ntarget: ${{TARGET}}\nsources:\n{sources}limits: {limits}\n", encoding="utf-8")
    return file


def build(folder: Path, *systems: str, set_: str = fixtures.CLEAN, postgres_dsn: str | None = None) -> Path:
    """Build the fixture stores of these systems and the project file over them; its path."""
    for system in systems:
        fixtures.build(system, set_, folder, postgres_dsn=postgres_dsn)
    return write(folder, *systems)
