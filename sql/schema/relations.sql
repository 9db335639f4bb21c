-- Purpose: every relation in our five schemas, ours or not; sequences that belong to a column are part of it and left out.
-- Params:  schemas, text[].
-- Returns: name with schema, kind (pg_class.relkind), persistence, whether row-level security is on; in order of creation.
-- Lock:    access share on the catalogue.
select
    n.nspname || '.' || c.relname as name,
    c.relkind::text as kind,
    c.relpersistence::text as persistence,
    c.relrowsecurity as row_security
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s)
    and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c', 'S')
    and not exists (
        select 1
        from pg_catalog.pg_depend as d
        where c.relkind = 'S'
            and d.classid = 'pg_catalog.pg_class'::regclass
            and d.objid = c.oid
            and d.refclassid = 'pg_catalog.pg_class'::regclass
            and d.deptype in ('a', 'i')
    )
order by c.oid;
