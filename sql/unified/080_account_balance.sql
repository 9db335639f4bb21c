-- Purpose: the history of the account balances of all bots.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.

create table trading.account_balance (
    -- Primary Key
    id bigserial primary key,

    -- Bot Association
    bot_id varchar(50) not null references trading.bots(bot_id),

    -- Balance Information
    total_balance decimal(20, 8) not null,
    available_balance decimal(20, 8) not null,
    locked_balance decimal(20, 8) default 0,
    equity decimal(20, 8) not null,

    -- Margin Information
    margin_used decimal(20, 8) default 0,
    margin_available decimal(20, 8),
    margin_level decimal(10, 6), -- Margin ratio

    -- P&L
    unrealized_pnl decimal(20, 8) default 0,
    realized_pnl decimal(20, 8) default 0,
    daily_pnl decimal(20, 8) default 0,

    -- Timing
    timestamp timestamp with time zone default current_timestamp,
    snapshot_type varchar(20) default 'periodic',
    -- 'periodic', 'trade_open', 'trade_close', 'deposit', 'withdrawal', 'manual'

    -- Metadata
    created_at timestamp with time zone default current_timestamp,
    data_source varchar(50) default 'exchange',

    constraint positive_total_balance check (total_balance >= 0),
    constraint valid_available_balance check (available_balance >= 0)
);

-- Indexes
create index idx_balance_bot_id on trading.account_balance(bot_id);
create index idx_balance_timestamp on trading.account_balance(timestamp desc);
create index idx_balance_bot_time on trading.account_balance(bot_id, timestamp desc);

comment on table trading.account_balance is 'Account balance history for all bots';
comment on column trading.account_balance.total_balance is 'USD';
comment on column trading.account_balance.available_balance is 'USD';
comment on column trading.account_balance.locked_balance is 'USD; null: not recorded';
comment on column trading.account_balance.equity is 'USD';
comment on column trading.account_balance.margin_used is 'USD';
comment on column trading.account_balance.margin_available is 'USD; null: not recorded';
comment on column trading.account_balance.margin_level is 'ratio, 1 = 100 %';
comment on column trading.account_balance.unrealized_pnl is 'USD, negative = loss';
comment on column trading.account_balance.realized_pnl is 'USD, negative = loss; null: not recorded';
comment on column trading.account_balance.daily_pnl is 'USD, negative = loss; null: not recorded';
