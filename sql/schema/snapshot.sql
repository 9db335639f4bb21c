-- Purpose: let all queries of this transaction see one moment; it must be the first statement of it.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none.
set transaction isolation level repeatable read, read only;
