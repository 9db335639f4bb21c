-- Purpose: the run ledger, one row a run that wrote to this database.
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
    rows_unchanged bigint not null default 0,
    rows_rejected bigint not null default 0,
    report jsonb,

    constraint valid_run_status check (status in ('running', 'loaded', 'refused', 'failed', 'rolled_back', 'partly_rolled_back')),
    constraint valid_run_rows check (rows_inserted >= 0 and rows_updated >= 0 and rows_unchanged >= 0 and rows_rejected >= 0)
);

comment on table audit.migration_runs is 'consolidate: the run ledger';
comment on column audit.migration_runs.status is 'partly_rolled_back: some of its bots are out again';
comment on column audit.migration_runs.project_digest is 'digest of the project file without its secrets';
comment on column audit.migration_runs.mapping_digest is 'digest of all mappings of the run';
comment on column audit.migration_runs.report is 'the report of the run, consolidate.report/1';
