-- Purpose: all generated signals, executed or not.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table trading.signals (
    -- Primary Key
    id bigserial primary key,
    signal_id varchar(100) unique not null,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Signal Details
    symbol varchar(20) not null,
    signal_type varchar(20) not null, -- 'long', 'short', 'close_long', 'close_short', 'hold'
    strength decimal(5, 4) default 1.0, -- Signal strength 0-1
    confidence decimal(5, 4), -- Confidence level 0-1

    -- Pricing
    price decimal(20, 8) not null,
    suggested_stop_loss decimal(20, 8),
    suggested_take_profit decimal(20, 8),
    suggested_position_size decimal(20, 8),

    -- Timing
    timestamp timestamp with time zone default current_timestamp,
    valid_until timestamp with time zone, -- Signal expiry

    -- Strategy Context
    strategy varchar(50) not null,
    indicators jsonb, -- All indicator values at signal time
    market_conditions jsonb,

    -- Execution Status
    executed boolean default false,
    execution_time timestamp with time zone,
    execution_order_id varchar(100),
    execution_trade_id varchar(100),

    -- Signal Rejection/Filtering
    rejected boolean default false,
    rejection_reason varchar(100),
    passed_filters jsonb, -- Which filters passed/failed

    -- Performance Tracking
    outcome varchar(20), -- 'winner', 'loser', 'breakeven', 'not_executed'
    outcome_pnl decimal(20, 8),

    -- Metadata
    created_at timestamp with time zone default current_timestamp,
    notes text,

    constraint valid_signal_type check (signal_type in ('long', 'short', 'close_long', 'close_short', 'hold')),
    constraint valid_strength check (strength >= 0 and strength <= 1),
    constraint valid_confidence check (confidence is null or (confidence >= 0 and confidence <= 1))
);

-- Indexes
create index idx_signals_bot_id on trading.signals(bot_id);
create index idx_signals_symbol on trading.signals(symbol);
create index idx_signals_timestamp on trading.signals(timestamp desc);
create index idx_signals_executed on trading.signals(executed);
create index idx_signals_bot_symbol on trading.signals(bot_id, symbol, timestamp desc);

-- GIN index for JSONB
create index idx_signals_indicators on trading.signals using gin(indicators);

comment on table trading.signals is 'All generated trading signals before execution';
comment on column trading.signals.strength is 'fraction from 0 to 1';
comment on column trading.signals.confidence is 'fraction from 0 to 1; null: not known';
comment on column trading.signals.price is 'quote per 1 base';
comment on column trading.signals.suggested_position_size is 'base units';
comment on column trading.signals.outcome_pnl is 'USD, negative = loss; null: not known';
