-- Purpose: all executed trades of all bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table trading.trades (
    -- Primary Key
    id bigserial primary key,
    trade_id varchar(100) unique not null,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Trade Identification
    symbol varchar(20) not null,
    exchange_order_id varchar(100),

    -- Trade Details
    side varchar(10) not null, -- 'buy', 'sell', 'long', 'short'
    trade_type varchar(20) default 'market', -- 'market', 'limit', 'stop_market'

    -- Quantities and Prices
    quantity decimal(20, 8) not null,
    entry_price decimal(20, 8) not null,
    exit_price decimal(20, 8),
    avg_fill_price decimal(20, 8),

    -- Position Sizing
    position_size_usd decimal(20, 8) not null,
    leverage integer default 1,

    -- Risk Management
    stop_loss decimal(20, 8),
    take_profit decimal(20, 8),
    trailing_stop_pct decimal(5, 4),

    -- Trade Status
    status varchar(20) default 'pending',
    -- 'pending', 'partially_filled', 'filled', 'cancelled', 'rejected', 'expired'

    -- Timing
    entry_time timestamp with time zone not null,
    exit_time timestamp with time zone,
    holding_time_seconds integer,

    -- Performance
    pnl_usd decimal(20, 8) default 0,
    pnl_pct decimal(10, 6) default 0,
    fees decimal(20, 8) default 0,
    commission decimal(20, 8) default 0,
    slippage decimal(20, 8) default 0,

    -- Exit Information
    exit_reason varchar(50),
    -- 'take_profit', 'stop_loss', 'trailing_stop', 'manual', 'time_exit',
    -- 'risk_limit', 'signal_reversal', 'market_close'

    -- Strategy Context
    strategy varchar(50) not null,
    signal_strength decimal(5, 4),
    confidence_score decimal(5, 4),
    strategy_params jsonb, -- Strategy-specific parameters

    -- Market Context
    market_regime varchar(30), -- 'trending_up', 'trending_down', 'ranging', 'volatile'
    entry_conditions jsonb, -- Indicators at entry
    exit_conditions jsonb, -- Indicators at exit

    -- Audit
    created_at timestamp with time zone default current_timestamp,
    updated_at timestamp with time zone default current_timestamp,
    notes text,

    constraint valid_side check (side in ('buy', 'sell', 'long', 'short')),
    constraint valid_status check (status in ('pending', 'partially_filled', 'filled', 'cancelled', 'rejected', 'expired')),
    constraint positive_quantity check (quantity > 0),
    constraint positive_price check (entry_price > 0)
);

-- Indexes for performance
create index idx_trades_bot_id on trading.trades(bot_id);
create index idx_trades_symbol on trading.trades(symbol);
create index idx_trades_entry_time on trading.trades(entry_time);
create index idx_trades_status on trading.trades(status);
create index idx_trades_bot_symbol on trading.trades(bot_id, symbol);
create index idx_trades_bot_time on trading.trades(bot_id, entry_time desc);
create index idx_trades_exit_time on trading.trades(exit_time) where exit_time is not null;

-- Partial index for open trades
create index idx_trades_open on trading.trades(bot_id, symbol) where exit_time is null;

-- GIN index for JSONB columns
create index idx_trades_strategy_params on trading.trades using gin(strategy_params);
create index idx_trades_entry_conditions on trading.trades using gin(entry_conditions);

comment on table trading.trades is 'All executed trades across all bots with unified schema';
comment on column trading.trades.quantity is 'base units, above 0 whatever the side';
comment on column trading.trades.entry_price is 'quote per 1 base';
comment on column trading.trades.exit_price is 'quote per 1 base; null: open, or not recorded';
comment on column trading.trades.avg_fill_price is 'quote per 1 base; null: not filled, or not recorded';
comment on column trading.trades.position_size_usd is 'USD, quantity times entry_price, not multiplied by leverage';
comment on column trading.trades.trailing_stop_pct is 'fraction, 0.01 = 1 %';
comment on column trading.trades.holding_time_seconds is 'whole seconds from entry_time to exit_time, rounded down';
comment on column trading.trades.pnl_usd is 'USD, negative = loss; null: not known';
comment on column trading.trades.pnl_pct is 'fraction of position_size_usd, 0.01 = 1 %, negative = loss; null: not known';
comment on column trading.trades.fees is 'USD, positive = paid; null: not recorded';
comment on column trading.trades.commission is 'USD, positive = paid; null: not recorded';
comment on column trading.trades.slippage is 'USD, positive = against us; null: not recorded';
comment on column trading.trades.signal_strength is 'fraction from 0 to 1';
comment on column trading.trades.confidence_score is 'fraction from 0 to 1';
comment on column trading.trades.strategy_params is 'strategy-specific parameters, and what the legacy row had beyond these columns';
