-- Purpose: how long a time the balances and the trades of some bots span in the target, from its indexes alone.
-- Params:  bots, their bot_ids.
-- Returns: bot_id, first and last balance, first and last entry of a trade (microseconds since 1970; null: none), by bot_id.
-- Lock:    none.
select
    b.bot_id,
    (extract(epoch from balance.first_time) * 1000000)::bigint as first_balance,
    (extract(epoch from balance.last_time) * 1000000)::bigint as last_balance,
    (extract(epoch from trade.first_time) * 1000000)::bigint as first_trade,
    (extract(epoch from trade.last_time) * 1000000)::bigint as last_trade
from unnest(%(bots)s::text[]) as b (bot_id)
cross join lateral (
    select
        min(a.timestamp) as first_time,
        max(a.timestamp) as last_time
    from trading.account_balance a
    where a.bot_id = b.bot_id
        and a.timestamp >= '0001-01-02'
        and a.timestamp < '9999-12-31'
) balance
cross join lateral (
    select
        min(t.entry_time) as first_time,
        max(t.entry_time) as last_time
    from trading.trades t
    where t.bot_id = b.bot_id
        and t.entry_time >= '0001-01-02'
        and t.entry_time < '9999-12-31'
) trade
order by b.bot_id;
