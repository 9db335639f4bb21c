-- Purpose: enter a run into the ledger when it begins, so that one that dies is seen.
-- Params:  run_id, command, started_at, tool_version, project_digest, mapping_digest, undone_run_id.
-- Returns: nothing.
-- Lock:    none that others wait for.
insert into audit.migration_runs (
    run_id,
    command,
    status,
    started_at,
    tool_version,
    project_digest,
    mapping_digest,
    undone_run_id
)
values (
    %(run_id)s,
    %(command)s,
    'running',
    %(started_at)s,
    %(tool_version)s,
    %(project_digest)s,
    %(mapping_digest)s,
    %(undone_run_id)s
);
