-- Purpose: which of our schemas exist.
-- Params:  schemas, text[].
-- Returns: name.
-- Lock:    access share on the catalogue.
select
    n.nspname as name
from pg_catalog.pg_namespace as n
where n.nspname = any(%(schemas)s);
