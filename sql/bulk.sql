-- Scripts for writing so many rows in one transaction that it is cheaper to build the indexes afterwards.
--
-- Measured on 500,000 activities: kept up row by row, the full text index takes three times as long as built in one
-- go, and the foreign keys' triggers 12 s against 1 s for checking all rows at the end. Primary keys and unique
-- constraints stay, since they tell what is there already. The tables are locked until the transaction ends.
--
-- In this order, in one transaction: tables, drop_secondary, the rows, rebuild_secondary.

-- name: tables -> nothing
-- $1 the names of the tables to write, comma-separated.
select set_config('bulk.tables', $1, true);

-- name: drop_secondary -> nothing
-- Drops the indexes and foreign keys of the tables, and remembers how PostgreSQL writes them down.
create temp table bulk_dropped (
    place      integer generated always as identity primary key,
    definition text not null
) on commit drop;
do $$
declare
    written constant oid[] := string_to_array(current_setting('bulk.tables'), ',')::regclass[];
    secondary record;
begin
    for secondary in
        select i.indexrelid::regclass as name, pg_get_indexdef(i.indexrelid) as definition
        from pg_index as i
        where i.indrelid = any (written)
          and not i.indisunique
          and not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
        order by i.indexrelid
    loop
        insert into bulk_dropped (definition) values (secondary.definition);
        execute format('drop index %s', secondary.name);
    end loop;
    for secondary in
        select c.conname as name, c.conrelid::regclass as on_table, pg_get_constraintdef(c.oid) as definition
        from pg_constraint as c
        where c.conrelid = any (written) and c.contype = 'f'
        order by c.oid
    loop
        insert into bulk_dropped (definition) values (
            format('alter table %s add constraint %I %s', secondary.on_table, secondary.name, secondary.definition));
        execute format('alter table %s drop constraint %I', secondary.on_table, secondary.name);
    end loop;
end $$;

-- name: rebuild_secondary -> nothing
-- Builds again what drop_secondary dropped: indexes first, then foreign keys, which look their rows up in them.
do $$
declare
    wanted text;
begin
    for wanted in select definition from bulk_dropped order by place loop
        execute wanted;
    end loop;
end $$;
drop table bulk_dropped;
