-- Purpose: where we are and when: what the numbers of transactions in footprints are good for.
-- Params:  none.
-- Returns: one row: the number of the cluster and of the database (text), the number of this transaction (text; the one it would get
--          now, where it has none yet), and whether numbers of transactions were ever used twice in this cluster.
-- Lock:    none.
select
    (select c.system_identifier::text from pg_catalog.pg_control_system() c) as cluster,
    (select d.oid::text from pg_catalog.pg_database d where d.datname = current_database()) as database,
    coalesce(
        pg_catalog.pg_current_xact_id_if_assigned(),
        pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
    )::text as number,
    pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric >= 4294967296 as wrapped;
