-- Purpose: figures of a day and a bot.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table trading.risk_metrics (
    -- Primary Key
    id bigserial primary key,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Date
    date date not null,

    -- Daily Performance
    starting_equity decimal(20, 8) not null,
    ending_equity decimal(20, 8) not null,
    daily_pnl decimal(20, 8) default 0,
    daily_pnl_pct decimal(10, 6) default 0,
    daily_return decimal(10, 6) default 0,

    -- Trade Statistics
    total_trades integer default 0,
    winning_trades integer default 0,
    losing_trades integer default 0,
    breakeven_trades integer default 0,
    win_rate decimal(5, 4) default 0,

    -- P&L Statistics
    gross_profit decimal(20, 8) default 0,
    gross_loss decimal(20, 8) default 0,
    net_profit decimal(20, 8) default 0,
    profit_factor decimal(10, 4) default 0,
    avg_win decimal(20, 8) default 0,
    avg_loss decimal(20, 8) default 0,
    largest_win decimal(20, 8) default 0,
    largest_loss decimal(20, 8) default 0,

    -- Risk Metrics
    max_drawdown decimal(10, 4) default 0,
    max_drawdown_pct decimal(10, 6) default 0,
    current_drawdown decimal(10, 4) default 0,
    sharpe_ratio decimal(10, 4),
    sortino_ratio decimal(10, 4),
    calmar_ratio decimal(10, 4),

    -- Exposure
    avg_leverage decimal(10, 4),
    max_leverage decimal(10, 4),
    avg_position_size decimal(20, 8),
    max_exposure decimal(20, 8),

    -- Holding Times
    avg_holding_time_hours decimal(10, 2),
    shortest_trade_hours decimal(10, 2),
    longest_trade_hours decimal(10, 2),

    -- Metadata
    created_at timestamp with time zone default current_timestamp,
    calculated_at timestamp with time zone default current_timestamp,

    constraint unique_bot_date unique(bot_id, date)
);

-- Indexes
create index idx_risk_metrics_bot_id on trading.risk_metrics(bot_id);
create index idx_risk_metrics_date on trading.risk_metrics(date desc);
create index idx_risk_metrics_bot_date on trading.risk_metrics(bot_id, date desc);

comment on table trading.risk_metrics is 'Daily risk and performance metrics for each bot';
comment on column trading.risk_metrics.date is 'the day in UTC, or in the time zone of a source that counts days locally';
comment on column trading.risk_metrics.starting_equity is 'USD';
comment on column trading.risk_metrics.ending_equity is 'USD';
comment on column trading.risk_metrics.daily_pnl is 'USD, negative = loss';
comment on column trading.risk_metrics.daily_pnl_pct is 'fraction of starting_equity, 0.01 = 1 %';
comment on column trading.risk_metrics.daily_return is 'fraction of starting_equity, 0.01 = 1 %';
comment on column trading.risk_metrics.win_rate is 'fraction of total_trades; null: no trades';
comment on column trading.risk_metrics.net_profit is 'USD, negative = loss';
comment on column trading.risk_metrics.max_drawdown is 'as the bot computed it; see its mapping for the unit';
comment on column trading.risk_metrics.max_drawdown_pct is 'fraction, 0.01 = 1 %';
