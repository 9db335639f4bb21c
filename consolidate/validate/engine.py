"""Great Expectations itself: loaded late and in the background, without the parts that no suite needs.

Its import takes two seconds and more, half of it for statistics and pictures (`scipy.stats`, `altair`) that most
suites never ask for. Those two are loaded at their first use; everything still works, a little later.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

_AT_FIRST_USE: Final = ("scipy.stats", "altair")
_PARTS: Final = (
    "great_expectations.expectations",
    "great_expectations.execution_engine",
    "great_expectations.validator.validator",
)
_DEPRECATED: Final = ("sre_constants", "sre_parse", "sre_compile")
_lock: Final = threading.Lock()


class _AtFirstUse(MetaPathFinder):
    """Finds the modules that are to be loaded at their first use; all others are left to the usual finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _AT_FIRST_USE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def _loading_late() -> Iterator[None]:
    finder = _AtFirstUse()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def require() -> None:
    """Load Great Expectations unless it is there; waits for another thread that is at it."""
    _load_deprecated()
    with _lock:
        if _PARTS[-1] in sys.modules:
            return
        with _loading_late():
            for part in _PARTS:
                importlib.import_module(part)
        importlib.import_module("consolidate.validate.exact").keep_decimals()
        # It logs what its results say anyway; without a handler Python would print that.
        logging.getLogger("great_expectations").addHandler(logging.NullHandler())


def _load_deprecated() -> None:
    """Load the modules of Python that Great Expectations still asks for, so that it meets no warning about them.

    Where an operator's tests make errors of warnings, the plugin would fail for it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in _DEPRECATED:
            with suppress(ImportError):
                importlib.import_module(name)


def begin() -> None:
    """Start loading it in the background, to be there when the rows are. A failure shows itself in `require`.

    The thread is a daemon: a command that ends before its suites are due does not wait for it.
    """
    if _PARTS[-1] not in sys.modules:
        _load_deprecated()
        threading.Thread(target=_quietly, name="great-expectations", daemon=True).start()


def _quietly() -> None:
    try:
        require()
    except Exception:  # noqa: BLE001 - `require` in the main thread meets the same failure, and raises it
        return
