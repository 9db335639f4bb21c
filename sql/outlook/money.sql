-- Purpose: the money of the candidates of all bots (DuckDB), as sql/reconcile/money.sql gives that of the target.
-- Params:  none.
-- Returns: bot_id, trades, open positions, sum of pnl_usd, sum of fees, equity (decimals as text; null: not recorded), by bot_id.
-- Lock:    none.
select
    b.bot_id,
    (select count(*) from cand."trading.trades" t where t.bot_id = b.bot_id) as trades,
    (select count(*) from cand."trading.positions" p where p.bot_id = b.bot_id and p.status = 'open') as open_positions,
    (select sum(t.pnl_usd)::varchar from cand."trading.trades" t where t.bot_id = b.bot_id) as pnl_usd,
    (select sum(t.fees)::varchar from cand."trading.trades" t where t.bot_id = b.bot_id) as fees,
    b.current_equity::varchar as equity
from cand."trading.bots" b
order by b.bot_id;
