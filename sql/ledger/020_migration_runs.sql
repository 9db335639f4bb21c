-- Purpose: the run ledger, one row a run (or rollback) that had the lock of this database.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.

create table audit.migration_runs (
    run_id text primary key,
    command text not null,
    status text not null,
    started_at timestamp with time zone not null,
    finished_at timestamp with time zone,
    tool_version text not null,
    project_digest text,
    mapping_digest text,
    rows_inserted bigint not null default 0,
    rows_updated bigint not null default 0,
    rows_deleted bigint not null default 0,
    rows_unchanged bigint not null default 0,
    rows_rejected bigint not null default 0,
    undone_run_id text,
    report jsonb,

    constraint valid_run_status check (status in ('running', 'loaded', 'refused', 'failed', 'rolled_back', 'partly_rolled_back', 'done')),
    constraint valid_run_rows check (rows_inserted >= 0 and rows_updated >= 0 and rows_deleted >= 0 and rows_unchanged >= 0 and rows_rejected >= 0),
    constraint valid_undone_run check ((command = 'rollback') = (undone_run_id is not null))
);

comment on table audit.migration_runs is 'consolidate: the run ledger';
comment on column audit.migration_runs.status is 'running without a session that holds the lock: interrupted, nothing was loaded; partly_rolled_back: some of its bots are out again; done: a rollback';
comment on column audit.migration_runs.rows_updated is 'of a rollback: rows that have their former values again';
comment on column audit.migration_runs.rows_deleted is 'of a rollback: rows that are out again; runs delete nothing';
comment on column audit.migration_runs.undone_run_id is 'of a rollback: the run that it undid';
comment on column audit.migration_runs.project_digest is 'digest of the project file without its secrets';
comment on column audit.migration_runs.mapping_digest is 'digest of all mappings of the run';
comment on column audit.migration_runs.report is 'the report of the run, consolidate.report/1';
