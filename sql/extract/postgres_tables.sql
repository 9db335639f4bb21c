-- purpose: list the tables and views of one schema of a PostgreSQL store, with their columns
-- params:  schema (text)
-- returns: one row a column in order (null column for a relation without any), relation kinds "table" and "view"
-- lock:    access share on the catalogue
select
    relation.relname::text as table_name,
    case when relation.relkind in ('v', 'm') then 'view' else 'table' end as kind,
    attribute.attname::text as column_name,
    pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) as stored_type
from pg_catalog.pg_class as relation
join pg_catalog.pg_namespace as namespace
    on namespace.oid = relation.relnamespace
left join pg_catalog.pg_attribute as attribute
    on attribute.attrelid = relation.oid
    and attribute.attnum > 0
    and not attribute.attisdropped
where namespace.nspname = %(schema)s
    and relation.relkind in ('r', 'p', 'f', 'v', 'm')
    and not relation.relispartition -- its rows come with the partitioned table
    and ( -- a child's rows come with its parent, but not the columns that only the child has: then it is listed too
        not exists (
            select 1
            from pg_catalog.pg_inherits as inheritance
            where inheritance.inhrelid = relation.oid
        )
        or exists (
            select 1
            from pg_catalog.pg_attribute as own
            where own.attrelid = relation.oid
                and own.attnum > 0
                and own.attinhcount = 0
                and not own.attisdropped
        )
    )
order by
    relation.relname,
    attribute.attnum
