-- Purpose: record a file that made the target schema.
-- Params:  file, version, checksum, tool_version.
-- Returns: nothing.
-- Lock:    row exclusive on audit.migration_schema.
insert into audit.migration_schema (
    file,
    version,
    checksum,
    tool_version
)
values (
    %(file)s,
    %(version)s,
    %(checksum)s,
    %(tool_version)s
);
