-- Purpose: let lineage tell of the source rows as they are now, where the target row did not have to change for it.
-- Params:  run_id; reads pg_temp.lineage_now.
-- Returns: nothing; the count of rows that had to change.
-- Lock:    row locks on those rows.
-- Residuals are compared as text: as jsonb, 2.0 equals 2.00. A row that this run has written already is not kept twice.
update audit.migration_lineage l
set
    previous = case when l.run_id = %(run_id)s then l.previous else jsonb_build_object(
        'run_id', l.run_id,
        'first_run_id', l.first_run_id,
        'row_hash', l.row_hash,
        'sent_hash', l.sent_hash,
        'source_hash', l.source_hash,
        'outcome', l.outcome,
        'residual', l.residual,
        'previous', l.previous
    ) end,
    run_id = %(run_id)s,
    first_run_id = case when l.run_id = %(run_id)s then l.first_run_id else coalesce(l.first_run_id, l.run_id) end,
    outcome = n.outcome,
    source_hash = n.source_hash,
    residual = n.residual
from pg_temp.lineage_now n
where l.target_table = n.target_table
    and l.target_key = n.target_key
    and l.source = n.source
    and l.source_table = n.source_table
    and l.source_key = n.source_key
    and (l.outcome, l.source_hash, l.residual::text) is distinct from (n.outcome, n.source_hash, n.residual::text);
