-- Purpose: what this transaction itself has written to the unified tables, triggers and rules included.
-- Params:  tables, their names with schemas.
-- Returns: table, rows inserted, updated, deleted since the transaction began, one row a table; all 0 where the server does
--          not count (track_counts off).
-- Lock:    none.
select
    t.name,
    pg_catalog.pg_stat_get_xact_tuples_inserted(t.name::regclass) as inserted,
    pg_catalog.pg_stat_get_xact_tuples_updated(t.name::regclass) as updated,
    pg_catalog.pg_stat_get_xact_tuples_deleted(t.name::regclass) as deleted
from unnest(%(tables)s::text[]) with ordinality as t(name, place)
order by t.place;
