-- Purpose: candles that stay because other runs brought them too belong to the first of those from now on.
-- Params:  run_id; reads pg_temp.undone.
-- Returns: nothing.
-- Lock:    row locks on lineage.
update audit.migration_lineage l
set
    row_hash = case when l.run_id = u.later_run_id then coalesce(l.row_hash, u.row_hash) else l.row_hash end,
    first_run_id = case
        when l.run_id = u.later_run_id and l.previous is null then null
        when l.first_run_id = %(run_id)s then u.later_run_id
        else l.first_run_id
    end
from pg_temp.undone u
where u.action = 'keep'
    and l.target_table = u.target_table
    and l.target_key = u.target_key
    and l.run_id <> %(run_id)s;
