-- Purpose: enter how a run ended into the ledger.
-- Params:  run_id, command, status, started_at, tool_version, project_digest, mapping_digest, rows_inserted, rows_updated,
--          rows_deleted, rows_unchanged, rows_rejected, undone_run_id, report (JSON text or null).
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
    rows_deleted,
    rows_unchanged,
    rows_rejected,
    undone_run_id,
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
    %(rows_deleted)s,
    %(rows_unchanged)s,
    %(rows_rejected)s,
    %(undone_run_id)s,
    %(report)s::jsonb
)
on conflict (run_id) do update set
    status = excluded.status,
    finished_at = excluded.finished_at,
    rows_inserted = excluded.rows_inserted,
    rows_updated = excluded.rows_updated,
    rows_deleted = excluded.rows_deleted,
    rows_unchanged = excluded.rows_unchanged,
    rows_rejected = excluded.rows_rejected,
    report = excluded.report;
