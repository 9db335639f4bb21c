-- Purpose: events of the system and of bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.

create table audit.system_events (
    id bigserial primary key,

    -- Event Details
    event_time timestamp with time zone default current_timestamp,
    event_type varchar(50) not null,
    -- 'SYSTEM_START', 'SYSTEM_STOP', 'BOT_START', 'BOT_STOP', 'CONFIG_CHANGE',
    -- 'RISK_BREACH', 'ERROR', 'WARNING', 'INFO', 'TRADE', 'ORDER'
    event_level varchar(20) not null, -- 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'

    -- Source
    bot_id varchar(50),
    component varchar(50), -- 'trading_engine', 'risk_manager', 'order_executor', etc.

    -- Message
    message text not null,
    details jsonb,

    -- Context
    symbol varchar(20),
    order_id varchar(100),
    trade_id varchar(100),

    -- Error Tracking
    error_code varchar(50),
    stack_trace text,

    -- Metadata
    created_at timestamp with time zone default current_timestamp,

    constraint valid_event_level check (event_level in ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'))
);

-- Indexes
create index idx_events_time on audit.system_events(event_time desc);
create index idx_events_level on audit.system_events(event_level);
create index idx_events_bot_id on audit.system_events(bot_id);
create index idx_events_type on audit.system_events(event_type);
create index idx_events_bot_time on audit.system_events(bot_id, event_time desc);

-- GIN index for details JSONB
create index idx_events_details on audit.system_events using gin(details);

comment on table audit.system_events is 'Audit trail and system logging';
comment on column audit.system_events.bot_id is 'null: an event of no bot; not a foreign key, events may name bots that are not registered';
