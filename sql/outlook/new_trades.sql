-- Purpose: the money of the trades that a load writes (DuckDB).
-- Params:  none.
-- Returns: bot_id, trades, those with a pnl_usd, their sum, those with fees, their sum (decimals as text; null: none).
-- Lock:    none.
select
    c.bot_id,
    count(*) as trades,
    count(c.pnl_usd) as pnls,
    sum(c.pnl_usd)::varchar as pnl_usd,
    count(c.fees) as with_fees,
    sum(c.fees)::varchar as fees
from cand."trading.trades" c
join work."diff trading.trades" d on d.n = c."#n"
where d.action in ('insert', 'update')
group by
    c.bot_id;
