-- What is announced, counted and audited goes by triggers, and by the id of a row. `session_replication_role = replica`, as some
-- tools set it, switched the first off, and no write may change the second: old and new rows are told apart by it.
-- And NaN, which is not below 0, made each sum that it was in NaN for good.

alter table company add constraint company_revenue_is_a_number check (revenue <> 'NaN');
alter table deal add constraint deal_value_is_a_number check (value <> 'NaN');

create function keep_id() returns trigger language plpgsql as $$
begin
    raise exception 'the id of a % does not change', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;

do $$
declare
    kind text;
    announcing record;
begin
    foreach kind in array array['app_user', 'stage', 'company', 'contact', 'deal', 'activity'] loop
        execute format(
            'create trigger %1$s_keeps_id before update of id on %1$I for each row when (old.id <> new.id) execute function keep_id()',
            kind
        );
    end loop;
    for announcing in
        select trigger.tgrelid::regclass as written, trigger.tgname as name
        from pg_trigger as trigger
        join pg_class as class on class.oid = trigger.tgrelid
        where not trigger.tgisinternal and class.relnamespace = current_schema()::regnamespace
    loop
        execute format('alter table %s enable always trigger %I', announcing.written, announcing.name);
    end loop;
end $$;
