-- Purpose: candles, shared by all bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.

create table trading.market_data (
    -- The candle itself is identified by (symbol, interval, timestamp), see unique_candle
    id bigserial primary key,

    -- Market Identification
    symbol varchar(20) not null,
    exchange varchar(50) default 'bybit',
    interval varchar(10) not null, -- '1m', '5m', '15m', '1h', '4h', '1d'

    -- OHLCV Data
    timestamp timestamp with time zone not null,
    open_price decimal(20, 8) not null,
    high_price decimal(20, 8) not null,
    low_price decimal(20, 8) not null,
    close_price decimal(20, 8) not null,
    volume decimal(20, 8) not null,
    quote_volume decimal(20, 8),

    -- Additional Metrics
    trades_count integer,
    taker_buy_volume decimal(20, 8),
    taker_sell_volume decimal(20, 8),

    -- Derived Indicators (commonly used)
    ema_20 decimal(20, 8),
    ema_50 decimal(20, 8),
    ema_200 decimal(20, 8),
    rsi_14 decimal(10, 6),
    atr_14 decimal(20, 8),

    -- Metadata
    created_at timestamp with time zone default current_timestamp,
    data_source varchar(50) default 'exchange', -- 'exchange', 'calculated', 'backfill'

    constraint unique_candle unique(symbol, interval, timestamp),
    constraint valid_ohlc check (
        high_price >= low_price and
        high_price >= open_price and
        high_price >= close_price and
        low_price <= open_price and
        low_price <= close_price
    )
);

-- Indexes for time-series queries
create index idx_market_data_symbol_interval on trading.market_data(symbol, interval, timestamp desc);
create index idx_market_data_timestamp on trading.market_data(timestamp desc);
create index idx_market_data_symbol on trading.market_data(symbol);

-- Partial indexes for common intervals
create index idx_market_data_1h on trading.market_data(symbol, timestamp desc) where interval = '1h';
create index idx_market_data_4h on trading.market_data(symbol, timestamp desc) where interval = '4h';
create index idx_market_data_1d on trading.market_data(symbol, timestamp desc) where interval = '1d';

comment on table trading.market_data is 'Shared market data (OHLCV) for all symbols and timeframes';
comment on column trading.market_data.timestamp is 'beginning of the candle';
comment on column trading.market_data.open_price is 'quote per 1 base';
comment on column trading.market_data.high_price is 'quote per 1 base';
comment on column trading.market_data.low_price is 'quote per 1 base';
comment on column trading.market_data.close_price is 'quote per 1 base';
comment on column trading.market_data.volume is 'base units';
comment on column trading.market_data.quote_volume is 'quote units; null: not recorded';
comment on column trading.market_data.rsi_14 is 'from 0 to 100';
