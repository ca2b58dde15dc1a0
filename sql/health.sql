-- Health.

-- name: synchronise -> nothing
-- The smallest statement there is.
select;

-- name: triggers -> TriggersRow
-- A fingerprint of the triggers that announce what is written: another one whenever any of them is made, dropped or switched, as
-- a restored dump does, or its table is written anew without them, as by `alter table ... type ... using`. None while one is off.
select md5(string_agg(concat_ws(' ', trigger.oid, trigger.xmin, class.relfilenode), ',' order by trigger.oid)) as fingerprint
from pg_trigger as trigger
join pg_class as class on class.oid = trigger.tgrelid
where not trigger.tgisinternal and class.relnamespace = 'public'::regnamespace
having bool_and(trigger.tgenabled <> 'D');

-- name: hello -> nothing
-- Told by another session to one that listens. $1 a number that no transaction has.
select pg_notify('dealgraph', $1);

-- name: incarnation -> IncarnationRow
-- Another one after a start, a crash, a promotion or a restored backup: numbers of transactions that were lost with it are
-- given again. These statistics are kept in order over a restart alone, and begin anew after a crash.
select md5(concat_ws(' ', extract(epoch from pg_postmaster_start_time()), extract(epoch from stats_reset))) as incarnation
from pg_stat_checkpointer;

-- name: arrays -> nothing
-- The kinds of arrays that other statements take.
select where ($1::uuid[], $2::int[], $3::text[]) is null;

-- name: sizes -> SizeRow
-- Every table of ours: rows as the last ANALYZE or VACUUM counted them, and bytes with indexes and what is out of line.
select class.relname::text as table_name,
       greatest(class.reltuples, 0)::bigint as row_estimate,
       pg_total_relation_size(class.oid)::bigint as bytes
from pg_class as class
where class.relkind = 'r'
  and class.relnamespace = 'public'::regnamespace
order by class.relname;
