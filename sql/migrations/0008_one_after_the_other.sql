-- A transaction that began first may change a row last, when it has waited for another: by `now()`, which is when it began, its
-- change would stand before the one that it waited for. So a row is never changed earlier than it was before, and a deal has
-- moved when it was changed.

create or replace function touch_version() returns trigger language plpgsql as $$
begin
    new.updated_at := greatest(now(), old.updated_at + interval '1 microsecond');
    new.version := old.version + 1;
    return new;
end $$;

create or replace function keep_stage_history() returns trigger language plpgsql set enable_nestloop = off as $$
begin
    if is_loading() then
        return null;
    elsif tg_op = 'INSERT' then
        insert into stage_change (deal_id, to_stage_id, changed_by)
        select id, stage_id, acting_user() from new_rows;
    else
        insert into stage_change (deal_id, from_stage_id, to_stage_id, changed_by, changed_at)
        select new_rows.id, old_rows.stage_id, new_rows.stage_id, acting_user(), new_rows.updated_at
        from old_rows
        join new_rows on new_rows.id = old_rows.id
        where new_rows.stage_id <> old_rows.stage_id;
    end if;
    return null;
end $$;
