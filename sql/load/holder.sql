-- Purpose: who holds the lock of lock.sql (a bigint key is kept in two halves).
-- Params:  none.
-- Returns: at most one row: pid, application_name, user, since when its transaction (or else its session) lives, as text.
-- Lock:    none.
select
    a.pid,
    a.application_name,
    a.usename::text,
    to_char(coalesce(a.xact_start, a.backend_start) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as since
from pg_catalog.pg_locks l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory'
    and l.granted
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
    and (l.classid::bigint << 32) | l.objid::bigint = 7203911482230418
    and l.objsubid = 1
limit 1;
