-- Purpose: one row: the state of everything at the last refresh.
-- Params:  none.
-- Returns: nothing.
-- Lock:    access share on the tables it reads; runs once, in the transaction that makes the schema.

create materialized view analytics.system_health_dashboard as
select
    now() as snapshot_time,

    -- Bot Status
    count(*) filter (where b.status = 'active') as active_bots,
    count(*) filter (where b.status = 'paused') as paused_bots,
    count(*) filter (where b.status = 'stopped') as stopped_bots,

    -- Positions
    (select count(*) from trading.positions where status = 'open') as total_open_positions,

    -- Today's Performance
    (select coalesce(sum(pnl_usd), 0)
     from trading.trades
     where (entry_time at time zone 'UTC')::date = (now() at time zone 'UTC')::date and status = 'filled') as today_pnl,

    (select count(*)
     from trading.trades
     where (entry_time at time zone 'UTC')::date = (now() at time zone 'UTC')::date and status = 'filled') as today_trades,

    -- Active Orders
    (select count(*) from trading.orders
     where status in ('pending', 'submitted', 'partially_filled')) as active_orders,

    -- Recent Errors
    (select count(*) from audit.system_events
     where event_level in ('ERROR', 'CRITICAL')
     and event_time > now() - interval '1 hour') as errors_last_hour,

    -- Portfolio Equity
    (select sum(current_equity) from trading.bots where status = 'active') as total_portfolio_equity,

    -- Recent Risk Events
    (select count(*) from audit.risk_events
     where event_time > now() - interval '24 hours'
     and resolved = false) as unresolved_risk_events

from trading.bots b;

create unique index idx_system_health on analytics.system_health_dashboard(snapshot_time);

comment on materialized view analytics.system_health_dashboard is 'One row: the state of everything at the last refresh; days are UTC';
