-- Purpose: the triggers and rules on tables in our five schemas; we make none, and they could change what is loaded.
-- Params:  schemas, text[].
-- Returns: name of the relation with schema, name, kind ('trigger' or 'rule'); by name.
-- Lock:    access share on the catalogue.
select
    n.nspname || '.' || c.relname as relation,
    t.tgname::text as name,
    'trigger' as kind
from pg_catalog.pg_trigger as t
join pg_catalog.pg_class as c on c.oid = t.tgrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s)
    and not t.tgisinternal
union all
select
    n.nspname || '.' || c.relname as relation,
    r.rulename::text as name,
    'rule' as kind
from pg_catalog.pg_rewrite as r
join pg_catalog.pg_class as c on c.oid = r.ev_class
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s)
    and c.relkind in ('r', 'p')
order by relation, name;
