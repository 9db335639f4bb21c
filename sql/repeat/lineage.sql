-- Purpose: which transactions wrote the lineage of these sources.
-- Params:  sources, text[].
-- Returns: the number of a transaction (text) and how many rows it left.
-- Lock:    access share on the lineage.
select
    l.xmin::text as writer,
    count(*) as number
from audit.migration_lineage l
where l.source = any(%(sources)s)
group by l.xmin::text;
