-- Purpose: breaches of risk limits.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table audit.risk_events (
    id bigserial primary key,

    -- Event Details
    event_time timestamp with time zone default current_timestamp,
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Risk Type
    risk_type varchar(50) not null,
    -- 'daily_loss_limit', 'weekly_loss_limit', 'max_drawdown', 'position_limit',
    -- 'leverage_limit', 'exposure_limit', 'concentration_limit'

    -- Values
    current_value decimal(20, 8) not null,
    limit_value decimal(20, 8) not null,
    threshold_pct decimal(5, 2), -- How close to limit (e.g., 95%)

    -- Action Taken
    action_taken varchar(100) not null,
    -- 'position_reduced', 'trading_halted', 'new_trades_blocked',
    -- 'leverage_reduced', 'alert_sent', 'manual_review_required'

    -- Impact
    positions_affected integer default 0,
    trades_cancelled integer default 0,

    -- Resolution
    resolved boolean default false,
    resolved_at timestamp with time zone,
    resolution_notes text,

    created_at timestamp with time zone default current_timestamp
);

create index idx_risk_events_bot_id on audit.risk_events(bot_id);
create index idx_risk_events_time on audit.risk_events(event_time desc);
create index idx_risk_events_type on audit.risk_events(risk_type);
create index idx_risk_events_resolved on audit.risk_events(resolved);

comment on table audit.risk_events is 'All risk limit breaches';
comment on column audit.risk_events.current_value is 'in the unit of limit_value';
comment on column audit.risk_events.limit_value is 'in the unit of the limit that risk_type names';
comment on column audit.risk_events.threshold_pct is 'percent of the limit, 95 = 95 %';
