-- Purpose: what some bots made in each symbol, as the target has it.
-- Params:  bots, their bot_ids; without, trade_ids to leave out.
-- Returns: bot_id, symbol, trades, sum of pnl_usd (a decimal as text; null: not recorded), by bot_id and symbol.
-- Lock:    none.
select
    t.bot_id,
    t.symbol,
    count(*) as trades,
    sum(t.pnl_usd)::text as pnl_usd
from trading.trades t
where t.bot_id = any (%(bots)s::text[])
    and t.trade_id <> all (%(without)s::text[])
group by
    t.bot_id,
    t.symbol
order by
    t.bot_id,
    t.symbol;
