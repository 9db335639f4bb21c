-- Purpose: all submitted orders, filled or not.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table trading.orders (
    -- Primary Key
    id bigserial primary key,
    order_id varchar(100) unique not null,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Order Details
    symbol varchar(20) not null,
    exchange_order_id varchar(100),
    client_order_id varchar(100),

    -- Order Type
    order_type varchar(20) not null,
    -- 'market', 'limit', 'stop_market', 'stop_limit', 'trailing_stop'
    side varchar(10) not null, -- 'buy', 'sell'

    -- Quantities and Prices
    quantity decimal(20, 8) not null,
    filled_quantity decimal(20, 8) default 0,
    remaining_quantity decimal(20, 8),
    price decimal(20, 8), -- Limit price (NULL for market orders)
    avg_fill_price decimal(20, 8),
    stop_price decimal(20, 8), -- For stop orders

    -- Status
    status varchar(20) default 'pending',
    -- 'pending', 'submitted', 'partially_filled', 'filled', 'cancelled',
    -- 'rejected', 'expired', 'failed'

    -- Timing
    created_at timestamp with time zone default current_timestamp,
    submitted_at timestamp with time zone,
    filled_at timestamp with time zone,
    updated_at timestamp with time zone default current_timestamp,

    -- Fees
    fees decimal(20, 8) default 0,
    commission decimal(20, 8) default 0,

    -- Order Purpose
    order_purpose varchar(30),
    -- 'entry', 'exit', 'stop_loss', 'take_profit', 'reduce_only', 'scale_in', 'scale_out'

    -- Associated Entities
    position_id varchar(100), -- Link to position if applicable
    trade_id varchar(100), -- Link to resulting trade

    -- Error Handling
    rejection_reason text,
    error_code varchar(50),
    retry_count integer default 0,

    -- Metadata
    order_metadata jsonb,

    constraint valid_order_type check (order_type in ('market', 'limit', 'stop_market', 'stop_limit', 'trailing_stop')),
    constraint valid_side check (side in ('buy', 'sell')),
    constraint valid_status check (status in ('pending', 'submitted', 'partially_filled', 'filled', 'cancelled', 'rejected', 'expired', 'failed')),
    constraint positive_quantity check (quantity > 0)
);

-- Indexes
create index idx_orders_bot_id on trading.orders(bot_id);
create index idx_orders_symbol on trading.orders(symbol);
create index idx_orders_status on trading.orders(status);
create index idx_orders_exchange_id on trading.orders(exchange_order_id);
create index idx_orders_created_at on trading.orders(created_at desc);
create index idx_orders_position_id on trading.orders(position_id) where position_id is not null;

-- Partial index for active orders
create index idx_orders_active on trading.orders(bot_id, symbol)
    where status in ('pending', 'submitted', 'partially_filled');

comment on table trading.orders is 'All order submissions across all bots';
comment on column trading.orders.quantity is 'base units, above 0 whatever the side';
comment on column trading.orders.filled_quantity is 'base units; null: not known';
comment on column trading.orders.remaining_quantity is 'base units; null: not known';
comment on column trading.orders.price is 'limit price, quote per 1 base; null: market order, or not recorded';
comment on column trading.orders.avg_fill_price is 'quote per 1 base; null: not filled, or not recorded';
comment on column trading.orders.fees is 'USD, positive = paid; null: not recorded';
comment on column trading.orders.commission is 'USD, positive = paid; null: not recorded';
