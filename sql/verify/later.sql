-- Purpose: the target rows that runs after a given one wrote.
-- Params:  run_id: text.
-- Returns: target_table, target_key.
-- Lock:    access share on audit.migration_lineage and audit.migration_runs.

select
    l.target_table,
    l.target_key
from audit.migration_lineage l
join audit.migration_runs r on r.run_id = l.run_id
join audit.migration_runs this on this.run_id = %(run_id)s
where r.run_id <> this.run_id
and r.started_at > this.started_at;
