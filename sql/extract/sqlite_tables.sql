-- purpose: list the tables and views of a SQLite store, with the columns of the tables
-- params:  none
-- returns: one row a column of a table, in order; one row with null column names for a view
-- lock:    shared, held by the surrounding read transaction
select
    entry.name as table_name,
    entry.type as kind,
    shape.name as column_name,
    lower(shape.type) as stored_type
from sqlite_schema as entry
join pragma_table_xinfo(entry.name) as shape
where entry.type = 'table'
    and entry.name not like 'sqlite\_%' escape '\'
    and shape.hidden <> 1 -- 1: only of virtual tables; generated columns are 2 and 3
union all
select
    entry.name,
    entry.type,
    null,
    null
from sqlite_schema as entry
where entry.type = 'view'
