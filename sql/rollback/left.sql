-- Purpose: whether lineage of a run is left.
-- Params:  run_id.
-- Returns: one row, one boolean.
-- Lock:    none.
select
    exists (select from audit.migration_lineage l where l.run_id = %(run_id)s) as is_left;
