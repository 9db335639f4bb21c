-- Purpose: figures over all bots at a moment.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.

create table analytics.portfolio_snapshots (
    id bigserial primary key,

    -- Snapshot Time
    timestamp timestamp with time zone default current_timestamp,

    -- Total Portfolio Metrics
    total_equity decimal(20, 8) not null,
    total_balance decimal(20, 8) not null,
    total_unrealized_pnl decimal(20, 8) default 0,
    total_realized_pnl decimal(20, 8) default 0,
    total_margin_used decimal(20, 8) default 0,

    -- Portfolio-Level Risk
    portfolio_leverage decimal(10, 4),
    portfolio_exposure decimal(20, 8),
    portfolio_var_95 decimal(20, 8), -- Value at Risk 95%

    -- Bot Count
    active_bots integer default 0,
    bots_in_trade integer default 0,
    total_open_positions integer default 0,

    -- Performance
    daily_pnl decimal(20, 8) default 0,
    weekly_pnl decimal(20, 8) default 0,
    monthly_pnl decimal(20, 8) default 0,

    -- Per-Bot Breakdown
    bot_metrics jsonb, -- {"bot_1": {...}, "bot_2": {...}}

    created_at timestamp with time zone default current_timestamp
);

create index idx_portfolio_timestamp on analytics.portfolio_snapshots(timestamp desc);

comment on table analytics.portfolio_snapshots is 'Figures over all bots at a moment';
comment on column analytics.portfolio_snapshots.total_equity is 'USD';
comment on column analytics.portfolio_snapshots.total_balance is 'USD';
comment on column analytics.portfolio_snapshots.portfolio_exposure is 'USD';
comment on column analytics.portfolio_snapshots.portfolio_var_95 is 'Value at Risk 95 %, USD';
comment on column analytics.portfolio_snapshots.bot_metrics is 'object by bot_id';
