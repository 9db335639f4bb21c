-- Purpose: let one run at a time write to this database; the number is ours alone and means nothing.
-- Params:  none.
-- Returns: one row: whether this session has the lock now.
-- Lock:    an advisory lock until it is released or the session ends.
-- Of the session and not of the transaction: it must be held before the transaction takes its snapshot.
select
    pg_catalog.pg_try_advisory_lock(7203911482230418) as locked;
