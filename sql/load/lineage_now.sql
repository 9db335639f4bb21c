-- Purpose: a place for the lineage rows that are already there, as this run would write them.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none; the table is of this session alone and gone at the end of the transaction.
create temporary table lineage_now (
    target_table text,
    target_key text,
    source text,
    source_table text,
    source_key text,
    outcome text,
    source_hash uuid,
    residual jsonb
) on commit drop;
