-- What was written and not announced to all whom it concerns (0002_writes.sql).

-- Which companies of an owner have deals: a deal announces that to the owner of its company. Where the company changes owner
-- in the same moment, the new one was told of the company before the deal was there, and the deal told the old one. Therefore
-- a company that a deal comes to or leaves keeps its owner until that deal is committed; all else of it may be written
-- meanwhile, as FOR KEY SHARE lets it. For a new deal its foreign key has done that, and the owner is read after; only a
-- transaction that goes on with what it saw at its start must be refused (67 of 440 us saved for the others).

create function hold_companies() returns trigger language plpgsql as $$
declare
    few constant integer := 200;  -- of more rows, old and new ones, it is announced that they concern everybody
    held uuid[];
begin
    if tg_op = 'INSERT' then
        held := array(select company_id from new_rows limit few + 1);
    elsif tg_op = 'DELETE' then
        held := array(select company_id from old_rows where deleted_at is null limit few + 1);
    elsif (select count(*) from (select from new_rows limit few) as rows) <= few / 2 then
        held := array(
            select unnest(array[old_rows.company_id, new_rows.company_id])
            from old_rows
            join new_rows on new_rows.id = old_rows.id
            where (old_rows.company_id, old_rows.deleted_at is null)
                is distinct from (new_rows.company_id, new_rows.deleted_at is null)
        );
    end if;
    if cardinality(held) between 1 and few then
        perform from company where id = any(held) order by id for key share;
    end if;
    return null;
end $$;
-- Triggers fire in the order of their names, and the owners are read by those that count: after "b" comes "counted".
create trigger deal_insert_bound after insert on deal referencing new table as new_rows
    for each statement when (current_setting('transaction_isolation') <> 'read committed') execute function hold_companies();
create trigger deal_update_bound after update on deal referencing old table as old_rows new table as new_rows
    for each statement execute function hold_companies();
create trigger deal_delete_bound after delete on deal referencing old table as old_rows
    for each statement execute function hold_companies();

create function wait_for_deals() returns trigger language plpgsql as $$
begin
    perform from company where id = old.id for update;
    return new;
end $$;
create trigger company_changes_owner before update on company for each row
    when (old.owner_id <> new.owner_id) execute function wait_for_deals();

-- A stage history that is written by hand. What the triggers of deals write of it has been told with the deal, and so has what
-- goes with one.

create function history_announced() returns trigger language plpgsql as $$
begin
    if (select count(*) from (select from changed_rows limit 201) as few) > 200 then
        perform announce('deals', 'deals');
    else
        perform announce('deals', string_agg(distinct 'deal:' || deal_id, ' ')) from changed_rows;
    end if;
    return null;
end $$;
drop trigger stage_change_announced on stage_change;
create trigger stage_change_inserted after insert on stage_change referencing new table as changed_rows
    for each statement when (pg_trigger_depth() = 0) execute function history_announced();
create trigger stage_change_updated after update on stage_change referencing new table as changed_rows
    for each statement when (pg_trigger_depth() = 0) execute function history_announced();
create trigger stage_change_updated_from after update on stage_change referencing old table as changed_rows
    for each statement when (pg_trigger_depth() = 0) execute function history_announced();
create trigger stage_change_deleted after delete on stage_change referencing old table as changed_rows
    for each statement when (pg_trigger_depth() = 0) execute function history_announced();
