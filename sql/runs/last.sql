-- Purpose: the last run that is loaded and read at least one of some sources.
-- Params:  sources, their names.
-- Returns: run_id, finished_at (ISO 8601, UTC), the sources of its report as JSON; no row where there is none.
-- Lock:    none.
select
    r.run_id,
    to_char(r.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as finished_at,
    r.report -> 'sources' as sources
from audit.migration_runs r
where r.status in ('loaded', 'partly_rolled_back')
    and r.command <> 'rollback'
    and jsonb_path_query_array(r.report, '$.sources[*].source') ?| %(sources)s::text[]
order by
    r.started_at desc,
    r.run_id desc
limit 1;
