-- Purpose: what last wrote to this target, a run or a rollback, with what a loaded run says for a repeat of it.
-- Params:  none.
-- Returns: at most one row: run_id, status, the report with its member "repeat" (null where there is none).
-- Lock:    access share on the ledger.
select
    r.run_id,
    r.status,
    case when r.report ? 'repeat' then r.report end as report
from audit.migration_runs r
where r.status in ('loaded', 'rolled_back', 'partly_rolled_back', 'done')
order by
    r.finished_at desc,
    r.started_at desc
limit 1;
