-- Purpose: closed trades by UTC day of entry and bot.
-- Params:  none.
-- Returns: nothing.
-- Lock:    access share on the tables it reads; runs once, in the transaction that makes the schema.

create materialized view analytics.daily_performance_summary as
select
    -- date(t.entry_time) would depend on the TimeZone of whoever refreshes
    (t.entry_time at time zone 'UTC')::date as trade_date,
    t.bot_id,
    b.bot_name,
    b.strategy_name,
    count(*) as total_trades,
    sum(case when t.pnl_usd > 0 then 1 else 0 end) as winning_trades,
    sum(case when t.pnl_usd < 0 then 1 else 0 end) as losing_trades,
    sum(t.pnl_usd) as total_pnl,
    avg(t.pnl_usd) as avg_pnl,
    avg(t.pnl_pct) as avg_pnl_pct,
    max(t.pnl_usd) as max_win,
    min(t.pnl_usd) as max_loss,
    sum(t.fees) as total_fees,
    avg(t.holding_time_seconds)/3600 as avg_holding_hours,
    cast(sum(case when t.pnl_usd > 0 then 1 else 0 end) as float) /
        nullif(count(*), 0) as win_rate
from trading.trades t
join trading.bots b on t.bot_id = b.bot_id
where t.status = 'filled' and t.exit_time is not null
group by (t.entry_time at time zone 'UTC')::date, t.bot_id, b.bot_name, b.strategy_name
order by trade_date desc, t.bot_id;

create unique index idx_daily_perf_summary on analytics.daily_performance_summary(trade_date, bot_id);

comment on materialized view analytics.daily_performance_summary is 'Closed trades by UTC day of entry and bot; trades without a known pnl count as no win and no loss';
