-- Purpose: fix what settings could change about the text, the speed or the visibility of a run, for one transaction.
-- Params:  application_name, as other sessions see it.
-- Returns: one row that nobody reads.
-- Lock:    none.
-- jit off: it compiles the wide hash expressions for longer than they run. maintenance_work_mem: for indexes that are built again.
select
    set_config('application_name', %(application_name)s, true),
    set_config('TimeZone', 'UTC', true),
    set_config('DateStyle', 'ISO, MDY', true),
    set_config('jit', 'off', true),
    set_config('work_mem', '64MB', true),
    set_config(
        'maintenance_work_mem',
        greatest(pg_size_bytes(current_setting('maintenance_work_mem')), pg_size_bytes('256MB')) / 1024 || 'kB',
        true
    );
