-- Purpose: let one session at a time make the schema; the number is ours alone and means nothing.
-- Params:  none.
-- Returns: one row that nobody reads.
-- Lock:    an advisory lock until the end of the transaction.
select
    pg_catalog.pg_advisory_xact_lock(7203911482230417);
