-- Purpose: of the candles that a run inserted, keep those to which lineage of other runs leads; of those that it updated, find the
--          ones that a later run found equal and counts on.
-- Params:  run_id; reads and changes pg_temp.undone, whose action becomes "keep" or "later".
-- Returns: nothing.
-- Lock:    none that others wait for.
with others as (
    select
        l.target_table,
        l.target_key,
        (array_agg(l.run_id order by r.finished_at, l.run_id))[1] as first_run_id,
        (array_agg(l.run_id order by r.finished_at desc, l.run_id desc))[1] as last_run_id,
        max(r.finished_at) as last_finished_at
    from audit.migration_lineage l
    left join audit.migration_runs r on r.run_id = l.run_id
    where l.target_table = 'trading.market_data'
        and l.run_id <> %(run_id)s
    group by
        l.target_table,
        l.target_key
)
update pg_temp.undone u
set
    action = case when u.action = 'remove' then 'keep' else 'later' end,
    later_run_id = case when u.action = 'remove' then o.first_run_id else o.last_run_id end
from others o
where o.target_table = u.target_table
    and o.target_key = u.target_key
    and (
        u.action = 'remove'
        or (
            u.action = 'restore'
            and o.last_finished_at > (select r.finished_at from audit.migration_runs r where r.run_id = %(run_id)s)
        )
    );
