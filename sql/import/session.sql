-- The import's transaction: what is set for it, and what keeps another import of the same source out.

-- name: prepare -> nothing
-- Index builds get memory and a second core; the commit need not wait for the disk, the file is still there.
set local synchronous_commit = off;
set local maintenance_work_mem = '512MB';
set local max_parallel_maintenance_workers = 2;
set local work_mem = '64MB';
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local dealgraph.loading = 'on';

-- name: lock -> nothing
-- $1 text the source. Until the end of the transaction; any first number that nobody else uses.
select pg_advisory_xact_lock(1768779887, hashtext($1::text)), set_config('dealgraph.actor', 'import of ' || $1::text, true)
