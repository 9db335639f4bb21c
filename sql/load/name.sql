-- Purpose: name the session, so that others see who holds the lock before the first transaction.
-- Params:  application_name.
-- Returns: one row that nobody reads.
-- Lock:    none.
select
    set_config('application_name', %(application_name)s, false);
