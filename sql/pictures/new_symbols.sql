-- Purpose: what the trades that a load writes made in each symbol (DuckDB), as sql/pictures/symbols.sql.
-- Params:  none.
-- Returns: bot_id, symbol, trades, sum of pnl_usd (a decimal as text; null: not recorded), by bot_id and symbol.
-- Lock:    none.
select
    c.bot_id,
    c.symbol,
    count(*) as trades,
    sum(c.pnl_usd)::varchar as pnl_usd
from cand."trading.trades" c
join work."diff trading.trades" d on d.n = c."#n" and d.action in ('insert', 'update')
group by
    c.bot_id,
    c.symbol
order by
    c.bot_id,
    c.symbol;
