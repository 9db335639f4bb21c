-- Purpose: how many rejects of a run each source table has with each code.
-- Params:  run_id, source_table, code (both null: all; source_table alone or as source.table).
-- Returns: source, table, code, count, by count.
-- Lock:    none.
select
    j.source,
    j.source_table,
    j.code,
    count(*) as rejects
from audit.migration_rejects j
where j.run_id = %(run_id)s
    and (%(table)s::text is null or %(table)s in (j.source_table, j.source || '.' || j.source_table))
    and (%(code)s::text is null or j.code = %(code)s)
group by
    j.source,
    j.source_table,
    j.code
order by
    count(*) desc,
    j.source,
    j.source_table,
    j.code;
