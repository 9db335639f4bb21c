-- Purpose: whether a run rejected rows with a NUL, which its quarantine shows as U+2400, so that they are not there as they were.
-- Params:  run_id.
-- Returns: one row: true where that may be.
-- Lock:    access share on the quarantine.
select
    exists (
        select
        from audit.migration_rejects r
        where r.run_id = %(run_id)s
            and strpos(concat(r.source_key, r.value, r.location), chr(9216)) > 0
    ) as lossy;
