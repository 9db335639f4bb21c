-- purpose: tell in which other schemas of a PostgreSQL store a table is
-- params:  table (text)
-- returns: one schema name a row
-- lock:    access share on the catalogue
select
    namespace.nspname::text as schema_name
from pg_catalog.pg_class as relation
join pg_catalog.pg_namespace as namespace
    on namespace.oid = relation.relnamespace
where relation.relname = %(table)s
    and relation.relkind in ('r', 'p', 'f')
order by
    namespace.nspname
