-- Purpose: let the next run write to this database.
-- Params:  none.
-- Returns: one row that nobody reads.
-- Lock:    releases the advisory lock of lock.sql.
select
    pg_catalog.pg_advisory_unlock(7203911482230418);
