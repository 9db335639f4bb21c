-- Purpose: the constraints of every table in our five schemas. Not-null constraints, which PostgreSQL 18 lists too, are with the columns.
-- Params:  schemas, text[].
-- Returns: name of the relation with schema, constraint, kind (pg_constraint.contype), definition, columns in order, the expression
--          of a check, the table with schema and the columns that a foreign key refers to; by name.
-- Lock:    access share on the catalogue.
select
    n.nspname || '.' || c.relname as relation,
    k.conname::text as name,
    k.contype::text as kind,
    pg_catalog.pg_get_constraintdef(k.oid) as definition,
    array(
        select a.attname::text
        from pg_catalog.unnest(k.conkey) with ordinality as p (number, place)
        join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = p.number
        order by p.place
    ) as columns,
    pg_catalog.pg_get_expr(k.conbin, k.conrelid) as expression,
    fn.nspname || '.' || f.relname as referenced,
    array(
        select a.attname::text
        from pg_catalog.unnest(k.confkey) with ordinality as p (number, place)
        join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = p.number
        order by p.place
    ) as referenced_columns
from pg_catalog.pg_constraint as k
join pg_catalog.pg_class as c on c.oid = k.conrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
left join pg_catalog.pg_class as f on f.oid = k.confrelid
left join pg_catalog.pg_namespace as fn on fn.oid = f.relnamespace
where n.nspname = any(%(schemas)s)
    and k.contype in ('c', 'f', 'p', 'u', 'x')
order by c.oid, k.conname;
