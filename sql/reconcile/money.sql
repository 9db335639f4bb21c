-- Purpose: the money of some bots, as a person checks it first.
-- Params:  bots, their bot_ids.
-- Returns: bot_id, trades, open positions, sum of pnl_usd, sum of fees, equity (decimals as text; null: not recorded), by bot_id.
-- Lock:    none.
select
    b.bot_id,
    (select count(*) from trading.trades t where t.bot_id = b.bot_id) as trades,
    (select count(*) from trading.positions p where p.bot_id = b.bot_id and p.status = 'open') as open_positions,
    (select sum(t.pnl_usd)::text from trading.trades t where t.bot_id = b.bot_id) as pnl_usd,
    (select sum(t.fees)::text from trading.trades t where t.bot_id = b.bot_id) as fees,
    b.current_equity::text as equity
from trading.bots b
where b.bot_id = any(%(bots)s::text[])
order by b.bot_id;
