-- Purpose: the indexes in our five schemas that stand on their own, not those that a constraint made.
-- Params:  schemas, text[].
-- Returns: name of the relation with schema, index, definition (followed by a word where the index is not valid); by name.
-- Lock:    access share on the catalogue.
select
    n.nspname || '.' || c.relname as relation,
    i.relname::text as name,
    pg_catalog.pg_get_indexdef(i.oid) || case when x.indisvalid then '' else ' INVALID' end as definition
from pg_catalog.pg_index as x
join pg_catalog.pg_class as c on c.oid = x.indrelid
join pg_catalog.pg_class as i on i.oid = x.indexrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s)
    and c.relkind in ('r', 'p', 'm')
    and not exists (
        select 1
        from pg_catalog.pg_constraint as k
        where k.conindid = x.indexrelid
            and k.contype in ('p', 'u', 'x')
    )
order by c.oid, i.relname;
