-- Purpose: open positions of all bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    access share on the tables it reads; runs once, in the transaction that makes the schema.

create materialized view analytics.active_positions_summary as
select
    p.bot_id,
    b.bot_name,
    p.symbol,
    p.side,
    p.size,
    p.avg_entry_price,
    p.current_price,
    p.unrealized_pnl,
    p.unrealized_pnl_pct,
    p.leverage,
    (p.size * p.current_price) as position_value_usd,
    p.opened_at,
    extract(epoch from (now() - p.opened_at)) / 3600 as hours_held,
    p.strategy,
    p.stop_loss,
    p.take_profit,
    p.position_id -- not in the seed: a bot may have two open positions in a symbol
from trading.positions p
join trading.bots b on p.bot_id = b.bot_id
where p.status = 'open'
order by p.opened_at desc;

create unique index idx_active_pos_summary_id on analytics.active_positions_summary(position_id);
create index idx_active_pos_summary_bot on analytics.active_positions_summary(bot_id);

-- Refresh strategy (run every minute via cron or trigger)
-- refresh materialized view concurrently analytics.active_positions_summary;

comment on materialized view analytics.active_positions_summary is 'Open positions of all bots, one row each; hours_held is as of the last refresh';
