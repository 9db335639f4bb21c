-- Purpose: lineage rows that the run changed say again what they said before.
-- Params:  run_id; reads pg_temp.undone.
-- Returns: nothing; the count of rows.
-- Lock:    row locks on lineage.
update audit.migration_lineage l
set
    target_key = coalesce(l.previous ->> 'target_key', l.target_key),
    run_id = l.previous ->> 'run_id',
    first_run_id = l.previous ->> 'first_run_id',
    row_hash = (l.previous ->> 'row_hash')::uuid,
    sent_hash = (l.previous ->> 'sent_hash')::uuid,
    source_hash = (l.previous ->> 'source_hash')::uuid,
    outcome = l.previous ->> 'outcome',
    residual = nullif(l.previous -> 'residual', 'null'),
    previous = nullif(l.previous -> 'previous', 'null')
from pg_temp.undone u
where l.target_table = u.target_table
    and l.target_key = u.target_key
    and l.run_id = %(run_id)s
    and l.previous ->> 'run_id' is not null;
