-- Purpose: the money of some bots, as a person checks it first.
-- Params:  bots, their bot_ids.
-- Returns: bot_id, trades, open positions, sum of pnl_usd, sum of fees, equity (decimals as text; null: not recorded), trades with a
--          pnl_usd, trades with fees, by bot_id.
-- Lock:    none.
with traded as (
    select
        t.bot_id,
        count(*) as trades,
        sum(t.pnl_usd)::text as pnl_usd,
        sum(t.fees)::text as fees,
        count(t.pnl_usd) as pnls,
        count(t.fees) as with_fees
    from trading.trades t
    where t.bot_id = any(%(bots)s::text[])
    group by
        t.bot_id
), held as (
    select
        p.bot_id,
        count(*) as open_positions
    from trading.positions p
    where p.bot_id = any(%(bots)s::text[])
        and p.status = 'open'
    group by
        p.bot_id
)
select
    b.bot_id,
    coalesce(t.trades, 0) as trades,
    coalesce(h.open_positions, 0) as open_positions,
    t.pnl_usd,
    t.fees,
    b.current_equity::text as equity,
    coalesce(t.pnls, 0) as pnls,
    coalesce(t.with_fees, 0) as with_fees
from trading.bots b
left join traded t on t.bot_id = b.bot_id
left join held h on h.bot_id = b.bot_id
where b.bot_id = any(%(bots)s::text[])
order by
    b.bot_id;
