-- Purpose: the last equity of each interval of time that the target has recorded for some bots.
-- Params:  bots, their bot_ids; widths, the length of each one's intervals in microseconds; without, ids to leave out.
-- Returns: bot_id, moment (microseconds since 1970), equity (a decimal as text), by bot_id and moment.
-- Lock:    none.
-- Intervals begin in the year 1, so that the division rounds down.
with last_of_interval as (
    select
        a.bot_id,
        max(a.timestamp) as moment
    from trading.account_balance a
    join unnest(%(bots)s::text[], %(widths)s::bigint[]) as w (bot_id, width) on w.bot_id = a.bot_id
    where a.timestamp >= '0001-01-02'
        and a.timestamp < '9999-12-31'
        and a.id <> all (%(without)s::bigint[])
    group by
        a.bot_id,
        ((extract(epoch from a.timestamp) * 1000000)::bigint + 62135596800000000) / w.width
)
select
    l.bot_id,
    (extract(epoch from l.moment) * 1000000)::bigint as moment,
    (
        select a.equity::text
        from trading.account_balance a
        where a.bot_id = l.bot_id
            and a.timestamp = l.moment
            and a.id <> all (%(without)s::bigint[])
        order by a.id desc
        limit 1
    ) as equity
from last_of_interval l
order by
    l.bot_id,
    l.moment;
