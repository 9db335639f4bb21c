-- Purpose: the rejects of a run, in the order in which they were found.
-- Params:  run_id, source_table, code (both null: all), limit (null: none).
-- Returns: source, table, key, code, column, value, location, row (JSON text as it was).
-- Lock:    none.
select
    j.source,
    j.source_table,
    j.source_key,
    j.code,
    j.column_name,
    j.value,
    j.location,
    j."row"::text
from audit.migration_rejects j
where j.run_id = %(run_id)s
    and (%(table)s::text is null or %(table)s in (j.source_table, j.source || '.' || j.source_table))
    and (%(code)s::text is null or j.code = %(code)s)
order by
    j.number
limit %(limit)s;
