-- Purpose: the registry of all bots; every other bot_id refers to it.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.

create table trading.bots (
    bot_id varchar(50) primary key,
    bot_name varchar(100) not null,
    bot_type varchar(50) not null, -- 'shortseller', 'lxalgo', 'momentum', 'custom'
    strategy_name varchar(100) not null,
    description text,
    status varchar(20) default 'active', -- 'active', 'paused', 'stopped', 'archived'
    deployment_mode varchar(20) not null, -- 'live', 'demo', 'backtest'

    -- Configuration
    initial_capital decimal(20, 8) not null,
    current_equity decimal(20, 8),
    max_positions integer default 3,
    leverage_limit integer default 1,

    -- Risk limits
    max_daily_loss_pct decimal(5, 4),
    max_weekly_loss_pct decimal(5, 4),
    max_drawdown_pct decimal(5, 4),

    -- Metadata
    created_at timestamp with time zone default current_timestamp,
    updated_at timestamp with time zone default current_timestamp,
    created_by varchar(50) default 'system',
    last_heartbeat timestamp with time zone,

    -- API Configuration (encrypted in production)
    api_key_hash varchar(255),
    exchange varchar(50) default 'bybit',

    constraint valid_status check (status in ('active', 'paused', 'stopped', 'archived')),
    constraint valid_mode check (deployment_mode in ('live', 'demo', 'backtest'))
);

create index idx_bots_status on trading.bots(status);
create index idx_bots_type on trading.bots(bot_type);
create index idx_bots_mode on trading.bots(deployment_mode);

comment on table trading.bots is 'Central registry of all trading bots';
comment on column trading.bots.initial_capital is 'USD';
comment on column trading.bots.current_equity is 'USD; null: not known';
comment on column trading.bots.max_daily_loss_pct is 'fraction, 0.05 = 5 %';
comment on column trading.bots.max_weekly_loss_pct is 'fraction, 0.05 = 5 %';
comment on column trading.bots.max_drawdown_pct is 'fraction, 0.05 = 5 %';
comment on column trading.bots.last_heartbeat is 'last sign of life; null: not known';
