-- Purpose: current and historical positions of all bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table trading.positions (
    -- Primary Key
    id bigserial primary key,
    position_id varchar(100) unique not null,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Position Details
    symbol varchar(20) not null,
    side varchar(10) not null, -- 'long', 'short'

    -- Quantities
    size decimal(20, 8) not null,
    avg_entry_price decimal(20, 8) not null,
    current_price decimal(20, 8),
    leverage integer default 1,

    -- P&L
    unrealized_pnl decimal(20, 8) default 0,
    realized_pnl decimal(20, 8) default 0,
    total_pnl decimal(20, 8) default 0,
    unrealized_pnl_pct decimal(10, 6) default 0,

    -- Risk Management
    stop_loss decimal(20, 8),
    take_profit decimal(20, 8),
    trailing_stop_pct decimal(5, 4),
    highest_price decimal(20, 8), -- For trailing stops
    lowest_price decimal(20, 8), -- For trailing stops

    -- Position Status
    status varchar(20) default 'open',
    -- 'open', 'partially_closed', 'closed', 'liquidated'

    -- Timing
    opened_at timestamp with time zone default current_timestamp,
    closed_at timestamp with time zone,
    last_updated timestamp with time zone default current_timestamp,

    -- Associated Trades
    entry_trade_ids text[], -- Array of trade IDs that opened this position
    exit_trade_ids text[], -- Array of trade IDs that closed this position

    -- Strategy Context
    strategy varchar(50) not null,
    entry_signal jsonb,
    position_metadata jsonb,

    -- Audit
    created_at timestamp with time zone default current_timestamp,
    updated_at timestamp with time zone default current_timestamp,
    notes text,

    constraint valid_side check (side in ('long', 'short')),
    constraint valid_status check (status in ('open', 'partially_closed', 'closed', 'liquidated')),
    constraint positive_size check (size > 0)
);

-- Indexes
create index idx_positions_bot_id on trading.positions(bot_id);
create index idx_positions_symbol on trading.positions(symbol);
create index idx_positions_status on trading.positions(status);
create index idx_positions_bot_symbol on trading.positions(bot_id, symbol);
create index idx_positions_opened_at on trading.positions(opened_at);

-- Partial index for open positions (most frequently queried)
create index idx_positions_open on trading.positions(bot_id, symbol, status) where status = 'open';

-- GIN index for arrays
create index idx_positions_entry_trades on trading.positions using gin(entry_trade_ids);

comment on table trading.positions is 'Current and historical positions for all bots';
comment on column trading.positions.size is 'base units, above 0 whatever the side';
comment on column trading.positions.avg_entry_price is 'quote per 1 base';
comment on column trading.positions.current_price is 'quote per 1 base; null: not known';
comment on column trading.positions.unrealized_pnl is 'USD, negative = loss; null: not known';
comment on column trading.positions.realized_pnl is 'USD, negative = loss; null: not known';
comment on column trading.positions.total_pnl is 'USD, unrealized plus realized; null: not known';
comment on column trading.positions.unrealized_pnl_pct is 'fraction of size times avg_entry_price, 0.01 = 1 %';
comment on column trading.positions.trailing_stop_pct is 'fraction, 0.01 = 1 %';
comment on column trading.positions.entry_trade_ids is 'trade_id of the trades that opened this position';
comment on column trading.positions.exit_trade_ids is 'trade_id of the trades that closed this position; null: open, or not known';
