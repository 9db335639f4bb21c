-- Purpose: what the trades of some bots made in each interval of time, as the target has them.
-- Params:  bots, their bot_ids; widths, the length of each one's intervals in microseconds; without, trade_ids to leave out.
-- Returns: bot_id, moment of the last trade (microseconds since 1970), sum of pnl_usd (a decimal as text), by bot_id and moment.
-- Lock:    none.
-- A trade counts when it ended; one without an end, when it began. Intervals begin in the year 1, so that the division rounds down.
select
    t.bot_id,
    (extract(epoch from max(coalesce(t.exit_time, t.entry_time))) * 1000000)::bigint as moment,
    sum(t.pnl_usd)::text as pnl_usd
from trading.trades t
join unnest(%(bots)s::text[], %(widths)s::bigint[]) as w (bot_id, width) on w.bot_id = t.bot_id
where coalesce(t.exit_time, t.entry_time) >= '0001-01-02'
    and coalesce(t.exit_time, t.entry_time) < '9999-12-31'
    and t.pnl_usd is not null
    and t.trade_id <> all (%(without)s::text[])
group by
    t.bot_id,
    ((extract(epoch from coalesce(t.exit_time, t.entry_time)) * 1000000)::bigint + 62135596800000000) / w.width
order by
    t.bot_id,
    moment;
