"""Everything that a run imports, in its own time or late: for processes that are forked from one that has it."""

from consolidate.validate import engine

engine.require()

# After it, or it would load parts of Great Expectations that nothing asks for.
import consolidate.validate.definitions  # noqa: E402
import consolidate.validate.grounds  # noqa: E402
import consolidate.validate.judge  # noqa: E402, F401
