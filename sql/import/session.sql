-- The import's transaction: what is set for it, and what keeps other imports waiting.

-- name: prepare -> nothing
-- Index builds get memory and a second core; the commit need not wait for the disk, the file is still there.
set local synchronous_commit = off;
set local maintenance_work_mem = '512MB';
set local max_parallel_maintenance_workers = 2;
set local work_mem = '64MB';
set local dealgraph.loading = 'on';

-- name: lock -> nothing
-- $1 text the source. Until the end of the transaction one import at a time, and none beside a load of demo data, whose
-- number this is: two that take away the indexes and foreign keys of the same tables wait for each other. And nobody folds
-- the rollups, which is the other number (0007_loads.sql): that reads tables which we lock.
select pg_advisory_xact_lock(1684369775), pg_advisory_xact_lock(1685418093),
       set_config('dealgraph.actor', 'import of ' || $1::text, true)
