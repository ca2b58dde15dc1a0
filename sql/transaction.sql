-- Transactions.

-- name: act_for -> ActingRow
-- $1 subject; $2 the id of a user, or null. Who the triggers write down as the one who makes the changes; until the end
-- of the transaction, so that nothing stays with the connection. Writes are planned for what they write, one row or ten
-- thousand, unlike what is read (db/pool.py).
select set_config('dealgraph.actor', $1, true) as subject,
       set_config('dealgraph.user', coalesce($2::uuid::text, ''), true) as user_id,
       set_config('plan_cache_mode', 'auto', true) as planned;

-- name: unhurried -> nothing
-- Until the end of the transaction it may take as long as it takes (db/unhurried.py).
set local statement_timeout = 0;
set local transaction_timeout = 0;
set local idle_in_transaction_session_timeout = 0;

-- name: tell -> ToldRow
-- The last notification of a transaction: whoever hears it has heard everything that the transaction wrote.
select pg_notify('dealgraph', pg_current_xact_id()::text)::text as told, pg_current_xact_id()::text::bigint as xid;

-- name: snapshot -> SnapshotRow
-- Which transactions a statement can see from here on: all that ended below xmin, none from xmax on.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xmax;

-- name: announce -> ToldRow
-- $1 tags (core/tags.py), separated by spaces. Told as if this transaction had written what has them: whatever was read
-- of it before goes out of date, in every process and in what they share.
select pg_notify('dealgraph', pg_current_xact_id()::text || ' ' || $1::text)::text as told,
       pg_current_xact_id()::text::bigint as xid;
