-- Purpose: from every target row back to its source rows; one narrow row for each pair, one index.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none that others wait for; runs once, in the transaction that makes the schema.
-- The key begins with the target, because that is what single rows are looked up by (explain, diff, rollback of a row); the way
-- from a source goes over whole source tables (diff, counts), where reading all of it is the right plan anyway.

create table audit.migration_lineage (
    target_table text not null,
    target_key text not null,
    source text not null,
    source_table text not null,
    source_key text not null,
    outcome text not null,
    run_id text not null,
    first_run_id text,
    source_hash uuid,
    row_hash uuid,
    sent_hash uuid,
    residual jsonb,
    previous jsonb,

    constraint migration_lineage_pkey primary key (target_table, target_key, source, source_table, source_key),
    constraint valid_outcome check (outcome in ('mapped', 'merged'))
);

comment on table audit.migration_lineage is 'consolidate: which source rows each target row comes from';
comment on column audit.migration_lineage.target_table is 'with its schema, such as trading.trades';
comment on column audit.migration_lineage.target_key is 'the text id of the row (trade_id, …), or its id where the table has none';
comment on column audit.migration_lineage.source_key is 'parts of a composite key are joined by |';
comment on column audit.migration_lineage.outcome is 'mapped: this source row made the target row; merged: it filled or repeated one that another made';
comment on column audit.migration_lineage.run_id is 'the run that last wrote the target row, or what is said of it here';
comment on column audit.migration_lineage.first_run_id is 'the run that inserted the target row; null: run_id';
comment on column audit.migration_lineage.source_hash is 'MD5 of the source row as read';
comment on column audit.migration_lineage.row_hash is 'MD5 of the target row as loaded; null: it was there already, as any candle may be';
comment on column audit.migration_lineage.sent_hash is 'MD5 of the row as sent, its JSON as spelled in the source; null: it has no JSON';
comment on column audit.migration_lineage.residual is 'the source columns that found no home; null: there are none';
comment on column audit.migration_lineage.previous is 'this row as it was before run_id wrote it, and in "row" the target row if run_id updated it (null: it had been deleted); null: run_id added this row';
