-- Purpose: let the ledger say that a run, or a part of it, is out again.
-- Params:  run_id, status.
-- Returns: nothing.
-- Lock:    one row lock.
update audit.migration_runs
set
    status = %(status)s
where run_id = %(run_id)s;
