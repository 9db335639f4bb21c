-- Purpose: the ledger, newest run first.
-- Params:  none.
-- Returns: run_id, command, status, started_at, finished_at (ISO 8601, UTC), rows inserted, updated, deleted, unchanged, rejected,
--          bots (of the report), undone_run_id.
-- Lock:    none.
-- A run says "running" until it ends. It does run if the session that holds the lock has its name, or a name that we may not see.
with holder as (
    select
        coalesce(a.application_name, '') as application_name
    from pg_catalog.pg_locks l
    left join pg_catalog.pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory'
        and l.granted
        and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = 7203911482230418
        and l.objsubid = 1
    limit 1
)
select
    r.run_id,
    r.command,
    case
        when r.status = 'running' and not exists (
            select from holder h where h.application_name in ('', left('consolidate ' || r.run_id, 63))
        ) then 'interrupted'
        else r.status
    end as status,
    to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
    to_char(r.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as finished_at,
    r.rows_inserted,
    r.rows_updated,
    r.rows_deleted,
    r.rows_unchanged,
    r.rows_rejected,
    array(
        select distinct b.bot
        from jsonb_array_elements_text(
            case
                when r.report ? 'bot' then jsonb_build_array(r.report -> 'bot')
                else coalesce(jsonb_path_query_array(r.report, '$.targets[*].bot_id'), '[]')
            end
        ) b (bot)
        where b.bot is not null
        order by 1
    ) as bots,
    r.undone_run_id
from audit.migration_runs r
order by
    r.started_at desc,
    r.finished_at desc nulls first,
    r.run_id desc;
