"""`python -m tests.bench`: how fast a run is, as ratios that hold on any machine.

All that is compared is measured in turns, one after the other, on one PostgreSQL server of our own (the embedded one,
in the folder of the bench); the figures are medians. Times are wall-clock; beside each ratio stands the same one in
processor time of our processes and the server, which does not depend on who else uses the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from consolidate import embedded
from tests.bench.cases import CASES, Bench, Found, measure
from tests.bench.measuring import Meter


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, add_help=True)
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="what to measure; all of them otherwise")
    parser.add_argument("--rows", type=int, help="how many rows; each case has its own number otherwise")
    parser.add_argument("--turns", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--folder", type=Path, help="where stores and server are kept for the next time")
    parser.add_argument("--json", type=Path, help="where to write everything that was measured")
    return parser.parse_args()


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])


def _measured(folder: Path, arguments: argparse.Namespace) -> list[Found]:
    found = []
    with embedded.server(folder / "postgres") as server:
        bench = Bench(
            server=server, meter=Meter(_postmaster(folder / "postgres")), folder=folder, turns=arguments.turns
        )
        server.create(embedded.DATABASE)
        bench.make_template()
        for case in arguments.case or CASES:
            one, seconds = measure(bench, case, arguments.rows)
            found.append(one)
            _print(one, seconds)
    return found


def _print(found: Found, seconds: float) -> None:
    lines = [f"\n{found.case}, {found.rows} rows, measured in {seconds:.0f} s"]
    lines.append(f"  {'':<12}{'seconds':>10}{'processor':>11}{'of it server':>14}{'peak MB':>9}{'rows/s':>10}")
    for name, cost in found.costs.items():
        speed = f"{found.rows / cost.seconds:>10.0f}" if found.rows else ""
        lines.append(
            f"  {name:<12}{cost.seconds:>10.2f}{cost.processor:>11.2f}{cost.postgres:>14.2f}"
            f"{cost.peak / 2**20:>9.0f}{speed}"
        )
        if cost.stages:
            lines.append("    " + " · ".join(f"{stage} {value:.2f}" for stage, value in cost.stages.items()))
    for ratio in found.ratios:
        processor = "" if ratio.processor is None else f"  (processor time {ratio.processor:.2f})"
        goal = "" if ratio.goal is None else f"  goal {ratio.goal:g}: {'met' if ratio.met else 'missed'}"
        lines.append(f"  {ratio.name}: {ratio.value:.2f}{processor}{goal}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _document(found: list[Found]) -> dict[str, object]:
    return {
        "schema": "consolidate.bench/1",
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "cases": [
            {
                "case": one.case,
                "rows": one.rows,
                "costs": {name: cost.as_json() for name, cost in one.costs.items()},
                "ratios": [
                    {
                        "name": ratio.name,
                        "value": round(ratio.value, 4),
                        "processor": ratio.processor,
                        "goal": ratio.goal,
                        "met": ratio.met,
                    }
                    for ratio in one.ratios
                ],
            }
            for one in found
        ],
    }


def main() -> None:
    """Measure, print, and write the JSON."""
    arguments = _arguments()
    if arguments.folder is None:
        with tempfile.TemporaryDirectory(prefix="consolidate-bench-") as folder:
            found = _measured(Path(folder), arguments)
    else:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        found = _measured(arguments.folder.resolve(), arguments)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_document(found), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
