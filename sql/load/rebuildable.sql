-- Purpose: the keys, foreign keys and indexes of a table that may be dropped and made again within a transaction. None where this role
--          does not own the table, or where one of them carries a setting that its definition does not tell.
-- Params:  relation, text: the table with its schema, quoted.
-- Returns: whether it is an index that no constraint made, name, definition, the table with schema that a foreign key refers to (quoted,
--          null otherwise); indexes last.
-- Lock:    access share on the catalogue.
-- A list in a condition ("status in (…)") is stored in another form once it has been written out and read again, so an index with one
-- stays as it is.
with ours as (
    select
        c.oid
    from pg_catalog.pg_class c
    where c.oid = %(relation)s::pg_catalog.regclass
        and pg_catalog.pg_has_role(c.relowner, 'usage')
        and c.relreplident = 'd'
        and not exists (
            select
            from pg_catalog.pg_index x
            join pg_catalog.pg_class i on i.oid = x.indexrelid
            where x.indrelid = c.oid
                and (x.indisclustered or x.indisreplident or not x.indisvalid or i.reltablespace <> 0)
        )
)
select
    false as is_index,
    k.conname::text as name,
    pg_catalog.pg_get_constraintdef(k.oid) as definition,
    case when k.contype = 'f' then k.confrelid::pg_catalog.regclass::text end as referenced
from ours
join pg_catalog.pg_constraint k on k.conrelid = ours.oid
where (
        k.contype = 'f'
        and pg_catalog.pg_has_role((select f.relowner from pg_catalog.pg_class f where f.oid = k.confrelid), 'usage')
    )
    or (
        k.contype in ('p', 'u')
        and not exists (
            select
            from pg_catalog.pg_depend d
            where d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
                and d.refobjid = k.oid
                and d.deptype = 'n'
        )
        and not exists (
            select
            from pg_catalog.pg_depend d
            where d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                and d.refobjid = k.conindid
                and d.deptype = 'n'
        )
    )
union all
select
    true,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(i.relname),
    pg_catalog.pg_get_indexdef(i.oid),
    null
from ours
join pg_catalog.pg_index x on x.indrelid = ours.oid
join pg_catalog.pg_class i on i.oid = x.indexrelid
join pg_catalog.pg_namespace n on n.oid = i.relnamespace
where pg_catalog.pg_get_indexdef(i.oid) not like '%%ARRAY[%%'
    and not exists (
        select
        from pg_catalog.pg_constraint k
        where k.conindid = i.oid
            and k.contype in ('p', 'u', 'x')
    )
order by
    is_index,
    name;
