-- Purpose: which files made the target schema.
-- Params:  none.
-- Returns: file, checksum, version, tool version; by file.
-- Lock:    access share on audit.migration_schema.
select
    s.file,
    s.checksum,
    s.version,
    s.tool_version
from audit.migration_schema as s
order by s.file;
