-- Purpose: the source rows of one target row, and the runs that wrote it.
-- Params:  target_table, target_key: text.
-- Returns: source, source_table, source_key, outcome, run_id, first_run_id, started_at (of run_id, in UTC); mapped rows first.
-- Lock:    access share on audit.migration_lineage and audit.migration_runs.

select
    l.source,
    l.source_table,
    l.source_key,
    l.outcome,
    l.run_id,
    coalesce(l.first_run_id, l.run_id),
    to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
from audit.migration_lineage l
left join audit.migration_runs r on r.run_id = l.run_id
where l.target_table = %(target_table)s
and l.target_key = %(target_key)s
order by
    l.outcome,
    l.source,
    l.source_table,
    l.source_key;
