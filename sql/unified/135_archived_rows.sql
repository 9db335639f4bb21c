-- Purpose: source rows that no unified table takes, whole and as stored.
-- Params:  none.
-- Returns: nothing.
-- Lock:    share row exclusive on the tables it refers to; runs once, in the transaction that makes the schema.
-- One table for all: the columns of a legacy table are members of `stored`, each the text that the store held, so that any table of
-- any store fits, and no cell passes through a type that could change it. Which run brought a row, lineage tells.

create table archive.rows (
    id bigserial primary key,
    bot_id varchar(50) references trading.bots(bot_id),
    source text not null,
    source_table text not null,
    source_key text not null,
    stored jsonb not null,

    constraint unique_source_row unique (source, source_table, source_key)
);

create index idx_archive_rows_bot_id on archive.rows(bot_id);

comment on table archive.rows is 'Source rows copied whole, because no unified table takes them';
comment on column archive.rows.bot_id is 'whose row it is; null: it belongs to no bot';
comment on column archive.rows.source_key is 'parts of a composite key are joined by |';
comment on column archive.rows.stored is 'each column of the source row as a text, as the store held it; null: null';
