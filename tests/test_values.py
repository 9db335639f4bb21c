"""Random values through each kind of source: identical in the target or rejected with cause; none changed silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import probe

if TYPE_CHECKING:
    from pathlib import Path

_ROWS = 1_500


@pytest.mark.parametrize("kind", probe.KINDS)
def test_each_value_is_identical_or_its_row_rejected_with_cause(
    kind: str, tmp_path: Path, target_dsn: str, empty_dsn: str
) -> None:
    rows = probe.probes(_ROWS, kind, seed=20261121)
    probe.build(kind, rows, tmp_path, empty_dsn)
    assert probe.wrong(kind, rows, tmp_path, target_dsn, empty_dsn) == []
    kept = sum(not probe.causes(row, kind) for row in rows)
    assert _ROWS / 4 < kept < _ROWS
