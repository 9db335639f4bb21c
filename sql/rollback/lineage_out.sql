-- Purpose: take out the lineage rows that the run added. Runs after hand_over.sql and before lineage_back.sql.
-- Params:  run_id; reads pg_temp.undone.
-- Returns: nothing; the count of rows.
-- Lock:    row locks on lineage.
delete from audit.migration_lineage l
using pg_temp.undone u
where l.target_table = u.target_table
    and l.target_key = u.target_key
    and l.run_id = %(run_id)s
    and l.previous ->> 'run_id' is null;
