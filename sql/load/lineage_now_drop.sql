-- Purpose: give lineage_now.sql's table back.
-- Params:  none.
-- Returns: nothing.
-- Lock:    none.
drop table pg_temp.lineage_now;
