-- Purpose: what a run did, one row a target row that its lineage names, or that lineage of later runs says it had touched.
-- Params:  run_id.
-- Returns: nothing; makes pg_temp.undone.
-- Lock:    none; the table is of this session alone and gone at the end of the transaction.
-- action: remove (the run inserted the row), restore (it updated it; former is a previous of lineage), told (it added or changed only
-- what lineage says), later (a later run built on it, named in later_run_id).
create temporary table undone on commit drop as
with recursive chain as (
    select
        l.target_table,
        l.target_key,
        l.run_id as later_run_id,
        l.previous
    from audit.migration_lineage l
    where l.run_id <> %(run_id)s
        and l.previous is not null
    union all
    select
        c.target_table,
        c.target_key,
        c.later_run_id,
        c.previous -> 'previous'
    from chain c
    where jsonb_typeof(c.previous -> 'previous') = 'object'
),
ours as (
    select
        l.target_table,
        l.target_key,
        bool_or(l.previous is null and l.first_run_id is null and l.row_hash is not null) as inserted,
        max(l.row_hash::text)::uuid as row_hash,
        min(l.previous::text) filter (where l.previous ? 'row')::jsonb as former
    from audit.migration_lineage l
    where l.run_id = %(run_id)s
    group by
        l.target_table,
        l.target_key
)
select
    o.target_table,
    o.target_key,
    case
        when o.former is not null and jsonb_typeof(o.former -> 'row') = 'object' then 'restore'
        when o.former is not null or o.inserted then 'remove'
        else 'told'
    end as action,
    o.row_hash,
    o.former,
    null::text as later_run_id
from ours o
union all
select distinct
    c.target_table,
    c.target_key,
    'later',
    null::uuid,
    null::jsonb,
    c.later_run_id
from chain c
where c.previous ->> 'run_id' = %(run_id)s
union all
select distinct
    l.target_table,
    l.target_key,
    'later',
    null::uuid,
    null::jsonb,
    l.run_id
from audit.migration_lineage l
where l.first_run_id = %(run_id)s
    and l.run_id <> %(run_id)s
    and l.previous is null
    and l.target_table <> 'trading.market_data';
