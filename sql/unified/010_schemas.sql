-- Purpose: the five schemas.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.
-- `if not exists`, because an administrator may have to make the schemas; a relation in one of them is refused before.

create schema if not exists trading;
create schema if not exists analytics;
create schema if not exists config;
create schema if not exists audit;
create schema if not exists archive;

comment on schema trading is 'Main trading schema';
comment on schema analytics is 'Analytics and reporting schema';
comment on schema config is 'System configuration schema';
comment on schema audit is 'Audit and logging schema';
comment on schema archive is 'Source rows copied whole';
