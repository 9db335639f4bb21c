-- Purpose: the last equity of each interval of time among the rows that a load writes (DuckDB), as sql/pictures/equity.sql.
-- Params:  bots, their bot_ids; the length of each one's intervals in microseconds.
-- Returns: bot_id, moment (microseconds since 1970), equity (a decimal as text), by bot_id and moment.
-- Lock:    none.
with wanted as (
    select
        unnest(?::varchar[]) as bot_id,
        unnest(?::bigint[]) as width
)
select
    c.bot_id,
    max(epoch_us(c."timestamp")) as moment,
    arg_max(c.equity, (epoch_us(c."timestamp"), c."#n"))::varchar as equity
from cand."trading.account_balance" c
join work."diff trading.account_balance" d on d.n = c."#n" and d.action in ('insert', 'update')
join wanted w on w.bot_id = c.bot_id
where epoch_us(c."timestamp") between -62135510400000000 and 253402214399999999
group by
    c.bot_id,
    (epoch_us(c."timestamp") + 62135596800000000) // w.width
order by
    c.bot_id,
    moment;
