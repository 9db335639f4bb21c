-- Purpose: what the trades that a load writes made in each interval of time (DuckDB), as sql/pictures/pnl.sql.
-- Params:  bots, their bot_ids; the length of each one's intervals in microseconds.
-- Returns: bot_id, moment of the last trade (microseconds since 1970), sum of pnl_usd (a decimal as text), by bot_id and moment.
-- Lock:    none.
with wanted as (
    select
        unnest(?::varchar[]) as bot_id,
        unnest(?::bigint[]) as width
), timed as (
    select
        c.bot_id,
        w.width,
        epoch_us(coalesce(c.exit_time, c.entry_time)) as moment,
        c.pnl_usd
    from cand."trading.trades" c
    join work."diff trading.trades" d on d.n = c."#n" and d.action in ('insert', 'update')
    join wanted w on w.bot_id = c.bot_id
    where c.pnl_usd is not null
)
select
    bot_id,
    max(moment) as moment,
    sum(pnl_usd)::varchar as pnl_usd
from timed
where moment between -62135510400000000 and 253402214399999999
group by
    bot_id,
    (moment + 62135596800000000) // width
order by
    bot_id,
    moment;
