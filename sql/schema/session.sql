-- Purpose: fix what a session's settings could change about the meaning or the text of a value, right after connecting.
-- Params:  read_only, 'on' or 'off': whether every transaction of this session is read only.
-- Returns: one row that nobody reads.
-- Lock:    none.
-- row_security off makes a query fail that a policy would filter: rows must not go missing without a word.
select
    set_config('search_path', 'pg_catalog', false),
    set_config('TimeZone', 'UTC', false),
    set_config('DateStyle', 'ISO, MDY', false),
    set_config('IntervalStyle', 'postgres', false),
    set_config('extra_float_digits', '1', false),
    set_config('bytea_output', 'hex', false),
    set_config('standard_conforming_strings', 'on', false),
    set_config('lock_timeout', '30s', false),
    set_config('statement_timeout', '0', false),
    set_config('idle_in_transaction_session_timeout', '0', false),
    set_config('row_security', 'off', false),
    set_config('default_transaction_read_only', %(read_only)s, false);
