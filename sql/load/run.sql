-- Purpose: enter a run into the ledger.
-- Params:  run_id, command, status, started_at, tool_version, project_digest, mapping_digest, rows_inserted, rows_updated,
--          rows_unchanged, rows_rejected, report (JSON text or null).
-- Returns: nothing.
-- Lock:    none that others wait for.
insert into audit.migration_runs (
    run_id,
    command,
    status,
    started_at,
    finished_at,
    tool_version,
    project_digest,
    mapping_digest,
    rows_inserted,
    rows_updated,
    rows_unchanged,
    rows_rejected,
    report
)
values (
    %(run_id)s,
    %(command)s,
    %(status)s,
    %(started_at)s,
    clock_timestamp(),
    %(tool_version)s,
    %(project_digest)s,
    %(mapping_digest)s,
    %(rows_inserted)s,
    %(rows_updated)s,
    %(rows_unchanged)s,
    %(rows_rejected)s,
    %(report)s::jsonb
);
