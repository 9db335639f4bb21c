-- Purpose: versioned settings of bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table config.bot_configurations (
    id bigserial primary key,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Configuration
    config_key varchar(100) not null,
    config_value jsonb not null,
    config_type varchar(50), -- 'strategy_params', 'risk_params', 'execution_params'

    -- Versioning
    version integer default 1,
    is_active boolean default true,

    -- Timing
    effective_from timestamp with time zone default current_timestamp,
    effective_until timestamp with time zone,

    -- Audit
    created_at timestamp with time zone default current_timestamp,
    created_by varchar(50) default 'system',
    updated_at timestamp with time zone default current_timestamp,
    updated_by varchar(50),

    constraint unique_bot_config unique(bot_id, config_key, version)
);

create index idx_config_bot_id on config.bot_configurations(bot_id);
create index idx_config_active on config.bot_configurations(bot_id, is_active);

comment on table config.bot_configurations is 'Strategy-specific configurations of bots, versioned';
