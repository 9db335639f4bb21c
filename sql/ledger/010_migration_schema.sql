-- Purpose: which files made the target schema, one row a file.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.

create table audit.migration_schema (
    file text primary key,
    version integer not null,
    checksum text not null,
    tool_version text not null,
    applied_at timestamp with time zone not null default current_timestamp
);

comment on table audit.migration_schema is 'consolidate: the files that made this schema';
comment on column audit.migration_schema.file is 'name below sql/, such as unified/030_trades.sql';
comment on column audit.migration_schema.version is 'version of the schema as a whole, the same in every row';
comment on column audit.migration_schema.checksum is 'SHA-256 of the file with line ends as LF, in hex';
