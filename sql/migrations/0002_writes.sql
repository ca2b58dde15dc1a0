-- What writing needs: versions, soft deletes, an audit, stage history, notifications, idempotency keys; and rollups,
-- which keep what a dashboard counts so that reading it costs the same for an owner of ten deals and of ten thousand.
--
-- All of it hangs on statement-level triggers, so that a change made with psql or by an import counts like any other.
-- A transaction may say who it writes for, by set_config(..., true):
--   dealgraph.actor    the subject of the viewer; without it the database user
--   dealgraph.user     the viewer's app_user.id, if they are one
--   dealgraph.loading  'on' for a bulk load: the audit tells its inserts and removals by their number, and its file
--                      brings the stage history along

-- Versions and soft deletes ------------------------------------------------------------------------------------------

alter table company add column version integer not null default 1, add column deleted_at timestamptz;
alter table contact add column version integer not null default 1, add column deleted_at timestamptz;
alter table deal add column version integer not null default 1, add column deleted_at timestamptz;
alter table activity add column version integer not null default 1, add column deleted_at timestamptz;

create function touch_version() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    new.version := old.version + 1;
    return new;
end $$;
create or replace trigger company_touch before update on company for each row execute function touch_version();
create or replace trigger contact_touch before update on contact for each row execute function touch_version();
create or replace trigger deal_touch before update on deal for each row execute function touch_version();
create or replace trigger activity_touch before update on activity for each row execute function touch_version();

-- Lists hold live rows only, and so do the indexes that serve their order: ten thousand deals deleted at once do not
-- lie in the way of the first page. Lists below a parent are short, and their indexes serve the foreign keys as well.
do $$
declare
    listed record;
begin
    for listed in
        select indexname, indexdef
        from pg_indexes
        where schemaname = 'public' and indexname ~ '^(company|contact|deal|activity)_(of_owner_)?by_'
    loop
        execute format('drop index %I', listed.indexname);
        execute listed.indexdef || ' where deleted_at is null';
    end loop;
end $$;
drop index activity_open_tasks, activity_open_tasks_of_owner;
create index activity_open_tasks on activity ((coalesce(due_at, 'infinity')), id)
    where type = 'TASK' and completed_at is null and deleted_at is null;
create index activity_open_tasks_of_owner on activity (owner_id, (coalesce(due_at, 'infinity')), id)
    where type = 'TASK' and completed_at is null and deleted_at is null;
create index company_deleted on company (deleted_at) where deleted_at is not null;
create index contact_deleted on contact (deleted_at) where deleted_at is not null;
create index deal_deleted on deal (deleted_at) where deleted_at is not null;
create index activity_deleted on activity (deleted_at) where deleted_at is not null;

-- The rollups say what these were read for. Without them a stage is in no index, and moving a deal writes one row where
-- its page has room, rather than an entry in each of a dozen indexes.
drop index deal_totals, deal_totals_of_owner, deal_totals_of_company;
alter table deal set (fillfactor = 80);

-- Who ----------------------------------------------------------------------------------------------------------------

create function acting_subject() returns text language sql stable parallel safe
    return coalesce(nullif(current_setting('dealgraph.actor', true), ''), session_user);
create function acting_user() returns uuid language sql stable parallel safe
    return nullif(current_setting('dealgraph.user', true), '')::uuid;
create function is_loading() returns boolean language sql stable parallel safe
    return coalesce(current_setting('dealgraph.loading', true) = 'on', false);

-- The audit: every change, who made it, and what it changed -------------------------------------------------------------
-- Of a changed row `before` and `after` hold the columns that differ, of a new or removed one the whole row. For 5,000
-- rows that differ in two columns: 29 ms put together with ||, 92 ms as whole rows. A trigger's plan is that of its first
-- call, however few rows that had: without nested loops it joins old and new rows in the same way for 10,000.

create table audit (
    id        bigint primary key generated always as identity,
    at        timestamptz not null default now(),
    actor     text not null,
    action    text not null,
    kind      text not null,
    row_id    uuid,
    before    jsonb,
    after     jsonb,
    row_count integer not null default 1,
    constraint audit_action_known check (action in ('CREATE', 'UPDATE', 'DELETE', 'RESTORE', 'PURGE', 'LOAD', 'UNLOAD'))
);
create index audit_of_row on audit (row_id, id);

do $$
declare
    differing constant text := 'case when old_rows.%1$I is distinct from new_rows.%1$I'
        ' then jsonb_build_object(%1$L, %2$s.%1$I) else ''{}'' end';
    kind text;
    whole text;
    before text;
    after text;
begin
    foreach kind in array array['company', 'contact', 'deal', 'activity'] loop
        select string_agg(format('%1$L, row.%1$I', attname), ', ' order by attnum),
               string_agg(format(differing, attname, 'old_rows'), ' || ' order by attnum) filter (where attname <> 'updated_at'),
               string_agg(format(differing, attname, 'new_rows'), ' || ' order by attnum) filter (where attname <> 'updated_at')
        into whole, before, after
        from pg_attribute
        where attrelid = kind::regclass and attnum > 0 and not attisdropped and attgenerated = '';
        execute format($sql$
            create function %1$s_audited() returns trigger language plpgsql set enable_nestloop = off as $body$
            begin
                if tg_op = 'UPDATE' then
                    insert into audit (actor, action, kind, row_id, before, after)
                    select acting_subject(),
                           case when old_rows.deleted_at is null and new_rows.deleted_at is not null then 'DELETE'
                                when old_rows.deleted_at is not null and new_rows.deleted_at is null then 'RESTORE'
                                else 'UPDATE' end,
                           %1$L, new_rows.id,
                           %3$s, %4$s
                    from old_rows
                    join new_rows on new_rows.id = old_rows.id;
                elsif tg_op = 'INSERT' and is_loading() then
                    insert into audit (actor, action, kind, row_count)
                    select acting_subject(), 'LOAD', %1$L, count(*) from new_rows having count(*) > 0;
                elsif tg_op = 'INSERT' then
                    insert into audit (actor, action, kind, row_id, after)
                    select acting_subject(), 'CREATE', %1$L, id, jsonb_build_object(%2$s)
                    from new_rows as row;
                elsif is_loading() then
                    insert into audit (actor, action, kind, row_count)
                    select acting_subject(), 'UNLOAD', %1$L, count(*) from old_rows having count(*) > 0;
                else
                    insert into audit (actor, action, kind, row_id, before)
                    select acting_subject(), 'PURGE', %1$L, id, jsonb_build_object(%2$s)
                    from old_rows as row;
                end if;
                return null;
            end $body$;
        $sql$, kind, whole, before, after);
    end loop;
end $$;

-- Stage history --------------------------------------------------------------------------------------------------------

-- A change is of a deal and of stages that exist, since triggers write it from the deal. That it stays so is checked where
-- it can be broken, at the removal of a deal or a stage, instead of three times for each change: 155 of 235 ms for the
-- history of 5,000 deals.
alter table stage_change drop constraint stage_change_deal_exists,
    drop constraint stage_change_from_stage_exists, drop constraint stage_change_to_stage_exists;
create function drop_history() returns trigger language plpgsql as $$
begin
    delete from stage_change where deal_id = any(array(select id from old_rows));
    return null;
end $$;
create trigger deal_delete_history after delete on deal referencing old table as old_rows
    for each statement execute function drop_history();
create function keep_stages_of_history() returns trigger language plpgsql as $$
begin
    if exists (
        select from stage_change
        join old_rows on old_rows.id = stage_change.to_stage_id or old_rows.id = stage_change.from_stage_id
    ) then
        raise exception 'a stage that deals have stood in cannot be removed'
            using errcode = 'foreign_key_violation', constraint = 'stage_change_stages_exist', table = 'stage_change';
    end if;
    return null;
end $$;
create trigger stage_kept_for_history after delete on stage referencing old table as old_rows
    for each statement execute function keep_stages_of_history();

create function keep_stage_history() returns trigger language plpgsql set enable_nestloop = off as $$
begin
    if is_loading() then
        return null;
    elsif tg_op = 'INSERT' then
        insert into stage_change (deal_id, to_stage_id, changed_by)
        select id, stage_id, acting_user() from new_rows;
    else
        insert into stage_change (deal_id, from_stage_id, to_stage_id, changed_by)
        select new_rows.id, old_rows.stage_id, new_rows.stage_id, acting_user()
        from old_rows
        join new_rows on new_rows.id = old_rows.id
        where new_rows.stage_id <> old_rows.stage_id;
    end if;
    return null;
end $$;

-- Notifications: one a statement, on the channel dealgraph ---------------------------------------------------------------
-- The transaction's id, then the tags of what was written, with a blank between them: `deal:ID` for a row,
-- `deals-of-owner:ID` and the like for the lists it is or was in. What has too many for the 8,000 bytes of a notification
-- says `deals`, which stands for all tags of deals.

create function announce(everything text, tags text) returns void language sql as $$
    select pg_notify('dealgraph',
        pg_current_xact_id() || ' ' || case when length(tags) < 7900 then tags else everything end)
    where tags is not null
$$;

-- Rollups --------------------------------------------------------------------------------------------------------------
-- A writer adds a row to a delta table and locks nothing that another could wait for; `fold_rollups` adds the deltas to
-- the rollups now and then, one process at a time; readers look at views that add up both. Whatever has been committed
-- is therefore in the next read, folded or not. `everyone()` stands for all owners together.

create function everyone() returns uuid language sql immutable parallel safe
    return '00000000-0000-0000-0000-000000000000'::uuid;
create function hour_of(moment timestamptz) returns timestamptz language sql immutable parallel safe
    return date_trunc('hour', moment, 'UTC');

-- Deals by owner and stage, and by company and owner. `usual` sums the values of deals that take their stage's
-- probability, `own` those times probability of the deals that have their own.
create table owner_deals_rollup (
    owner_id uuid not null,
    stage_id uuid not null,
    deals    bigint not null,
    value    numeric not null,
    unpriced bigint not null,
    usual    numeric not null,
    own      numeric not null,
    primary key (owner_id, stage_id)
);
create table owner_deals_delta (
    owner_id uuid not null,
    stage_id uuid not null,
    deals    bigint not null,
    value    numeric not null,
    unpriced bigint not null,
    usual    numeric not null,
    own      numeric not null
);
create index owner_deals_delta_of_owner on owner_deals_delta (owner_id);
create view owner_deals as
    select owner_id, stage_id, deals, value, unpriced, usual, own from owner_deals_rollup
    union all select owner_id, stage_id, deals, value, unpriced, usual, own from owner_deals_delta
    union all select everyone(), stage_id, deals, value, unpriced, usual, own from owner_deals_delta;
create table company_deals_rollup (
    company_id uuid not null,
    owner_id   uuid not null,
    deals      bigint not null,
    value      numeric not null,
    unpriced   bigint not null,
    primary key (company_id, owner_id)
);
create table company_deals_delta (
    company_id uuid not null,
    owner_id   uuid not null,
    deals      bigint not null,
    value      numeric not null,
    unpriced   bigint not null
);
create index company_deals_delta_of_company on company_deals_delta (company_id);
create view company_deals as
    select company_id, owner_id, deals, value, unpriced from company_deals_rollup
    union all select company_id, owner_id, deals, value, unpriced from company_deals_delta;

-- Contacts by company and owner.
create table company_contacts_delta (
    company_id uuid not null,
    owner_id   uuid not null,
    contacts   bigint not null
);
create index company_contacts_delta_of_company on company_contacts_delta (company_id);
create table company_contacts_rollup (
    company_id uuid not null,
    owner_id   uuid not null,
    contacts   bigint not null,
    primary key (company_id, owner_id)
);
create view company_contacts as
    select company_id, owner_id, contacts from company_contacts_rollup
    union all select company_id, owner_id, contacts from company_contacts_delta;

-- Activities by owner and hour: whole hours of UTC make up the days of nearly every time zone.
create table owner_activities_delta (
    owner_id   uuid not null,
    hour       timestamptz not null,
    activities bigint not null
);
create index owner_activities_delta_of_owner on owner_activities_delta (owner_id, hour);
create index owner_activities_delta_by_hour on owner_activities_delta (hour);
create table owner_activities_rollup (
    owner_id   uuid not null,
    hour       timestamptz not null,
    activities bigint not null,
    primary key (owner_id, hour)
);
create view owner_activities as
    select owner_id, hour, activities from owner_activities_rollup
    union all select owner_id, hour, activities from owner_activities_delta
    union all select everyone(), hour, activities from owner_activities_delta;

-- Companies by owner: all, those with any deal, and those with a deal of the owner's own. Whether a company has a deal
-- cannot be added up from deltas, so `company_rollup` remembers how each company was counted, and what a delta may have
-- changed is counted again from there.
create table company_delta (
    company_id uuid not null
);
create table company_rollup (
    company_id    uuid primary key,
    owner_id      uuid not null,
    has_deals     boolean not null,
    has_own_deals boolean not null
);
create table owner_companies_rollup (
    owner_id       uuid primary key,
    companies      bigint not null,
    with_deals     bigint not null,
    with_own_deals bigint not null
);
-- How each company is to be counted now.
create view company_counted as
    select company.id as company_id, company.owner_id, deals.any > 0 as has_deals, deals.own > 0 as has_own_deals
    from company
    cross join lateral (
        select coalesce(sum(company_deals.deals), 0) as any,
               coalesce(sum(company_deals.deals) filter (where company_deals.owner_id = company.owner_id), 0) as own
        from company_deals
        where company_deals.company_id = company.id
    ) as deals
    where company.deleted_at is null;
create view company_touched as
    select company_id from company_delta
    union select company_id from company_deals_delta group by company_id, owner_id having sum(deals) <> 0;
-- What the touched companies add to and take from the counts of their owners.
create view company_shift as
    select now.owner_id, 1 as companies, now.has_deals::int as with_deals, now.has_own_deals::int as with_own_deals
    from company_touched
    cross join lateral (
        select owner_id, has_deals, has_own_deals from company_counted
        where company_counted.company_id = company_touched.company_id limit 1
    ) as now
    union all
    select before.owner_id, -1, -before.has_deals::int, -before.has_own_deals::int
    from company_touched
    cross join lateral (
        select owner_id, has_deals, has_own_deals from company_rollup
        where company_rollup.company_id = company_touched.company_id limit 1
    ) as before;
create view owner_companies as
    select owner_id, companies, with_deals, with_own_deals from owner_companies_rollup
    union all select owner_id, companies, with_deals, with_own_deals from company_shift
    union all select everyone(), companies, with_deals, with_own_deals from company_shift;

-- Deltas come and go: their tables stay small if they are swept often.
do $$
declare
    delta text;
begin
    foreach delta in array array[
        'owner_deals_delta', 'company_deals_delta', 'company_contacts_delta', 'owner_activities_delta', 'company_delta'] loop
        execute format(
            'alter table %I set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, '
            'autovacuum_vacuum_insert_scale_factor = 0, autovacuum_analyze_scale_factor = 0, '
            'autovacuum_analyze_threshold = 5000)', delta);
    end loop;
end $$;

-- Each counting function is written once and made for the three kinds of statement, which differ in the rows there are.
do $$
declare
    changes constant jsonb := jsonb_build_object(
        'insert', 'select 1 as sign, new_rows.* from new_rows',
        'update', 'select 1 as sign, new_rows.* from new_rows union all select -1, old_rows.* from old_rows',
        'delete', 'select -1 as sign, old_rows.* from old_rows');
    tables constant jsonb := jsonb_build_object(
        'insert', 'new table as new_rows',
        'update', 'old table as old_rows new table as new_rows',
        'delete', 'old table as old_rows');
    plurals constant jsonb := jsonb_build_object(
        'company', 'companies', 'contact', 'contacts', 'deal', 'deals', 'activity', 'activities');
    tags constant jsonb := jsonb_build_object(
        'company', $sql$('company:' || id), ('companies-of-owner:' || owner_id)$sql$,
        'contact', $sql$('contact:' || id), ('contacts-of-owner:' || owner_id), ('contacts-of-company:' || company_id)$sql$,
        'deal', $sql$
                        ('deal:' || id), ('deals-of-owner:' || owner_id), ('deals-of-company:' || company_id),
                        -- which companies of an owner have deals, whoever owns those
                        ('deals-with-owner:' || (select company.owner_id from company where company.id = company_id))$sql$,
        'activity', $sql$
                        ('activity:' || id), ('activities-of-owner:' || owner_id), ('activities-of-company:' || company_id),
                        ('activities-of-deal:' || deal_id), ('activities-of-contact:' || contact_id)$sql$);
    counting constant jsonb := jsonb_build_object(
        'deal', $sql$
            with changed as (%1$s)
            insert into owner_deals_delta (owner_id, stage_id, deals, value, unpriced, usual, own)
            select owner_id, stage_id, sum(sign), coalesce(sum(sign * value), 0),
                   coalesce(sum(sign) filter (where value is null), 0),
                   coalesce(sum(sign * value) filter (where probability is null), 0),
                   coalesce(sum(sign * value * probability::numeric), 0)
            from changed
            where deleted_at is null
            group by owner_id, stage_id
            having sum(sign) <> 0 or sum(sign * value) <> 0 or sum(sign) filter (where value is null) <> 0
                or sum(sign * value) filter (where probability is null) <> 0
                or sum(sign * value * probability::numeric) <> 0;
            with changed as (%1$s)
            insert into company_deals_delta (company_id, owner_id, deals, value, unpriced)
            select company_id, owner_id, sum(sign), coalesce(sum(sign * value), 0),
                   coalesce(sum(sign) filter (where value is null), 0)
            from changed
            where deleted_at is null and company_id is not null
            group by company_id, owner_id
            having sum(sign) <> 0 or sum(sign * value) <> 0 or sum(sign) filter (where value is null) <> 0;$sql$,
        'contact', $sql$
            with changed as (%1$s)
            insert into company_contacts_delta (company_id, owner_id, contacts)
            select company_id, owner_id, sum(sign)
            from changed
            where deleted_at is null and company_id is not null
            group by company_id, owner_id
            having sum(sign) <> 0;$sql$,
        'activity', $sql$
            with changed as (%1$s)
            insert into owner_activities_delta (owner_id, hour, activities)
            select owner_id, hour_of(occurred_at), sum(sign)
            from changed
            where deleted_at is null
            group by owner_id, hour_of(occurred_at)
            having sum(sign) <> 0;$sql$,
        'company', $sql$
            with changed as (%1$s)
            insert into company_delta (company_id)
            select id
            from changed
            where deleted_at is null
            group by id, owner_id
            having sum(sign) <> 0;$sql$);
    kind text;
    op text;
begin
    for kind, op in select k, o from jsonb_object_keys(counting) as k, jsonb_object_keys(changes) as o loop
        execute format($sql$
            create function %1$s_%2$s_counted() returns trigger language plpgsql as $body$
            begin
                %4$s
                if (select count(*) from (select from (%3$s) as changed limit 201) as few) > 200 then
                    perform announce(%5$L, %5$L);
                else
                    perform announce(%5$L, string_agg(tag, ' '))
                    from (select distinct tag from (%3$s) as changed cross join lateral (values %7$s) as tags (tag)) as tags;
                end if;
                return null;
            end $body$;
            create trigger %1$s_%2$s_counted after %2$s on %1$s referencing %6$s
                for each statement execute function %1$s_%2$s_counted();
            create trigger %1$s_%2$s_audited after %2$s on %1$s referencing %6$s
                for each statement execute function %1$s_audited();
        $sql$, kind, op, changes ->> op, format(counting ->> kind, changes ->> op), plurals ->> kind, tables ->> op,
            tags ->> kind);
    end loop;
end $$;
-- Users, stages, and a stage history that a bulk load brings: read by many, written seldom.
create function everything_announced() returns trigger language plpgsql as $$
begin
    if tg_table_name <> 'stage_change' or is_loading() then
        perform announce(tg_argv[0], tg_argv[0]);
    end if;
    return null;
end $$;
create trigger app_user_announced after insert or update or delete on app_user
    for each statement execute function everything_announced('users');
create trigger stage_announced after insert or update or delete on stage
    for each statement execute function everything_announced('stages');
create trigger stage_change_announced after insert on stage_change
    for each statement execute function everything_announced('deals');
create trigger deal_insert_history after insert on deal referencing new table as new_rows
    for each statement execute function keep_stage_history();
create trigger deal_update_history after update on deal referencing old table as old_rows new table as new_rows
    for each statement execute function keep_stage_history();

-- Adds the deltas to the rollups; how many there were. One process at a time: another finds nothing to do. It is one
-- statement, and therefore sees one moment: how a company is counted and the deltas that say so belong together.
create function fold_rollups() returns bigint language plpgsql as $$
declare
    folded bigint;
begin
    if not pg_try_advisory_xact_lock(1685418093) then
        return 0;
    end if;
    with touched as materialized (
        select company_id from company_touched
    ), fresh as materialized (
        select now.company_id, now.owner_id, now.has_deals, now.has_own_deals
        from touched
        cross join lateral (
            select company_id, owner_id, has_deals, has_own_deals from company_counted
            where company_counted.company_id = touched.company_id limit 1
        ) as now
    ), shift as materialized (
        select owner_id, companies, with_deals, with_own_deals from company_shift
    ), companies as (
        delete from company_delta returning company_id
    ), deals as (
        delete from owner_deals_delta returning owner_id, stage_id, deals, value, unpriced, usual, own
    ), deals_with as (
        delete from company_deals_delta returning company_id, owner_id, deals, value, unpriced
    ), contacts as (
        delete from company_contacts_delta returning company_id, owner_id, contacts
    ), activities as (
        delete from owner_activities_delta returning owner_id, hour, activities
    ), owner_deals_folded as (
        insert into owner_deals_rollup as kept (owner_id, stage_id, deals, value, unpriced, usual, own)
        select whose.owner_id, stage_id, sum(deals), sum(value), sum(unpriced), sum(usual), sum(own)
        from deals
        cross join lateral (values (deals.owner_id), (everyone())) as whose (owner_id)
        group by whose.owner_id, stage_id
        on conflict (owner_id, stage_id) do update
        set deals = kept.deals + excluded.deals, value = kept.value + excluded.value,
            unpriced = kept.unpriced + excluded.unpriced, usual = kept.usual + excluded.usual, own = kept.own + excluded.own
    ), company_deals_folded as (
        insert into company_deals_rollup as kept (company_id, owner_id, deals, value, unpriced)
        select company_id, owner_id, sum(deals), sum(value), sum(unpriced)
        from deals_with
        group by company_id, owner_id
        on conflict (company_id, owner_id) do update
        set deals = kept.deals + excluded.deals, value = kept.value + excluded.value,
            unpriced = kept.unpriced + excluded.unpriced
    ), company_contacts_folded as (
        insert into company_contacts_rollup as kept (company_id, owner_id, contacts)
        select company_id, owner_id, sum(contacts)
        from contacts
        group by company_id, owner_id
        on conflict (company_id, owner_id) do update set contacts = kept.contacts + excluded.contacts
    ), owner_activities_folded as (
        insert into owner_activities_rollup as kept (owner_id, hour, activities)
        select whose.owner_id, hour, sum(activities)
        from activities
        cross join lateral (values (activities.owner_id), (everyone())) as whose (owner_id)
        group by whose.owner_id, hour
        on conflict (owner_id, hour) do update set activities = kept.activities + excluded.activities
    ), owner_companies_folded as (
        insert into owner_companies_rollup as kept (owner_id, companies, with_deals, with_own_deals)
        select whose.owner_id, sum(companies), sum(with_deals), sum(with_own_deals)
        from shift
        cross join lateral (values (shift.owner_id), (everyone())) as whose (owner_id)
        group by whose.owner_id
        on conflict (owner_id) do update
        set companies = kept.companies + excluded.companies, with_deals = kept.with_deals + excluded.with_deals,
            with_own_deals = kept.with_own_deals + excluded.with_own_deals
    ), company_folded as (
        insert into company_rollup (company_id, owner_id, has_deals, has_own_deals)
        select company_id, owner_id, has_deals, has_own_deals from fresh
        on conflict (company_id) do update
        set owner_id = excluded.owner_id, has_deals = excluded.has_deals, has_own_deals = excluded.has_own_deals
    ), company_gone as (
        delete from company_rollup using touched
        where company_rollup.company_id = touched.company_id
          and not exists (select from fresh where fresh.company_id = touched.company_id)
    )
    select (select count(*) from companies) + (select count(*) from deals) + (select count(*) from deals_with)
         + (select count(*) from contacts) + (select count(*) from activities)
    into folded;
    return folded;
end $$;

-- What the rollups would have to be changed by to equal a count of the rows: nothing, unless a trigger was switched off
-- or a table truncated.
create view owner_deals_drift as
    select coalesce(counted.owner_id, kept.owner_id) as owner_id, coalesce(counted.stage_id, kept.stage_id) as stage_id,
           coalesce(counted.deals, 0) - coalesce(kept.deals, 0) as deals,
           coalesce(counted.value, 0) - coalesce(kept.value, 0) as value,
           coalesce(counted.unpriced, 0) - coalesce(kept.unpriced, 0) as unpriced,
           coalesce(counted.usual, 0) - coalesce(kept.usual, 0) as usual,
           coalesce(counted.own, 0) - coalesce(kept.own, 0) as own
    from (
        select coalesce(owner_id, everyone()) as owner_id, stage_id, count(*) as deals, coalesce(sum(value), 0) as value,
               count(*) - count(value) as unpriced, sum(value) filter (where probability is null) as usual,
               sum(value * probability::numeric) as own
        from deal
        where deleted_at is null
        group by grouping sets ((owner_id, stage_id), (stage_id))
    ) as counted
    full join (
        select owner_id, stage_id, sum(deals) as deals, sum(value) as value, sum(unpriced) as unpriced,
               sum(usual) as usual, sum(own) as own
        from owner_deals
        group by owner_id, stage_id
    ) as kept using (owner_id, stage_id);
create view company_deals_drift as
    select company_id, owner_id,
           coalesce(counted.deals, 0) - coalesce(kept.deals, 0) as deals,
           coalesce(counted.value, 0) - coalesce(kept.value, 0) as value,
           coalesce(counted.unpriced, 0) - coalesce(kept.unpriced, 0) as unpriced
    from (
        select company_id, owner_id, count(*) as deals, sum(value) as value, count(*) - count(value) as unpriced
        from deal
        where deleted_at is null and company_id is not null
        group by company_id, owner_id
    ) as counted
    full join (
        select company_id, owner_id, sum(deals) as deals, sum(value) as value, sum(unpriced) as unpriced
        from company_deals
        group by company_id, owner_id
    ) as kept using (company_id, owner_id);
create view company_contacts_drift as
    select company_id, owner_id, coalesce(counted.contacts, 0) - coalesce(kept.contacts, 0) as contacts
    from (
        select company_id, owner_id, count(*) as contacts
        from contact
        where deleted_at is null and company_id is not null
        group by company_id, owner_id
    ) as counted
    full join (
        select company_id, owner_id, sum(contacts) as contacts from company_contacts group by company_id, owner_id
    ) as kept using (company_id, owner_id);
create view owner_activities_drift as
    select owner_id, hour, coalesce(counted.activities, 0) - coalesce(kept.activities, 0) as activities
    from (
        select coalesce(owner_id, everyone()) as owner_id, hour_of(occurred_at) as hour, count(*) as activities
        from activity
        where deleted_at is null
        group by grouping sets ((owner_id, hour_of(occurred_at)), (hour_of(occurred_at)))
    ) as counted
    full join (
        select owner_id, hour, sum(activities) as activities from owner_activities group by owner_id, hour
    ) as kept using (owner_id, hour);
create view owner_companies_drift as
    select owner_id,
           coalesce(counted.companies, 0) - coalesce(kept.companies, 0) as companies,
           coalesce(counted.with_deals, 0) - coalesce(kept.with_deals, 0) as with_deals,
           coalesce(counted.with_own_deals, 0) - coalesce(kept.with_own_deals, 0) as with_own_deals
    from (
        select coalesce(company.owner_id, everyone()) as owner_id, count(*) as companies,
               count(*) filter (where deals.any > 0) as with_deals, count(*) filter (where deals.own > 0) as with_own_deals
        from company
        left join (
            select deal.company_id, count(*) as any, count(*) filter (where deal.owner_id = company.owner_id) as own
            from deal
            join company on company.id = deal.company_id
            where deal.deleted_at is null
            group by deal.company_id
        ) as deals on deals.company_id = company.id
        where company.deleted_at is null
        group by grouping sets ((company.owner_id), ())
    ) as counted
    full join (
        select owner_id, sum(companies) as companies, sum(with_deals) as with_deals, sum(with_own_deals) as with_own_deals
        from owner_companies
        group by owner_id
    ) as kept using (owner_id);
create view rollup_drift as
    select 'deals by owner and stage' as rollup, concat_ws(' ', owner_id, stage_id) as key
    from owner_deals_drift where (deals, value, unpriced, usual, own) <> (0, 0, 0, 0, 0)
    union all
    select 'deals by company', concat_ws(' ', company_id, owner_id)
    from company_deals_drift where (deals, value, unpriced) <> (0, 0, 0)
    union all
    select 'contacts by company', concat_ws(' ', company_id, owner_id) from company_contacts_drift where contacts <> 0
    union all
    select 'activities by owner and hour', concat_ws(' ', owner_id, hour) from owner_activities_drift where activities <> 0
    union all
    select 'companies by owner', owner_id::text
    from owner_companies_drift where (companies, with_deals, with_own_deals) <> (0, 0, 0);

-- Puts right what drifted, without making anybody wait: each statement changes a rollup by what it lacks at one moment,
-- and what is written meanwhile is in the deltas. Rows that count nothing go.
create function recount_rollups() returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1685418093);
    insert into owner_deals_rollup as kept (owner_id, stage_id, deals, value, unpriced, usual, own)
    select owner_id, stage_id, deals, value, unpriced, usual, own
    from owner_deals_drift where (deals, value, unpriced, usual, own) <> (0, 0, 0, 0, 0)
    on conflict (owner_id, stage_id) do update
    set deals = kept.deals + excluded.deals, value = kept.value + excluded.value,
        unpriced = kept.unpriced + excluded.unpriced, usual = kept.usual + excluded.usual, own = kept.own + excluded.own;
    insert into company_deals_rollup as kept (company_id, owner_id, deals, value, unpriced)
    select company_id, owner_id, deals, value, unpriced
    from company_deals_drift where (deals, value, unpriced) <> (0, 0, 0)
    on conflict (company_id, owner_id) do update
    set deals = kept.deals + excluded.deals, value = kept.value + excluded.value,
        unpriced = kept.unpriced + excluded.unpriced;
    insert into company_contacts_rollup as kept (company_id, owner_id, contacts)
    select company_id, owner_id, contacts from company_contacts_drift where contacts <> 0
    on conflict (company_id, owner_id) do update set contacts = kept.contacts + excluded.contacts;
    insert into owner_activities_rollup as kept (owner_id, hour, activities)
    select owner_id, hour, activities from owner_activities_drift where activities <> 0
    on conflict (owner_id, hour) do update set activities = kept.activities + excluded.activities;
    with fresh as materialized (
        select company_id, owner_id, has_deals, has_own_deals from company_counted
    ), deltas as (
        delete from company_delta
    ), pending as (
        -- Counted now with deltas that are still there: another that cancels one of them must not pass for no change.
        insert into company_delta (company_id) select distinct company_id from company_deals_delta
    ), gone as (
        delete from company_rollup where not exists (select from fresh where fresh.company_id = company_rollup.company_id)
    ), kept as (
        insert into company_rollup as kept (company_id, owner_id, has_deals, has_own_deals)
        select company_id, owner_id, has_deals, has_own_deals from fresh
        on conflict (company_id) do update
        set owner_id = excluded.owner_id, has_deals = excluded.has_deals, has_own_deals = excluded.has_own_deals
        where (kept.owner_id, kept.has_deals, kept.has_own_deals)
            <> (excluded.owner_id, excluded.has_deals, excluded.has_own_deals)
    )
    insert into owner_companies_rollup (owner_id, companies, with_deals, with_own_deals)
    select owner_id, sum(companies), sum(with_deals), sum(with_own_deals)
    from (
        select whose.owner_id, 1 as companies, has_deals::int as with_deals, has_own_deals::int as with_own_deals
        from fresh
        cross join lateral (values (fresh.owner_id), (everyone())) as whose (owner_id)
        union all
        select owner_id, 0, 0, 0 from owner_companies_rollup
    ) as counted
    group by owner_id
    on conflict (owner_id) do update
    set companies = excluded.companies, with_deals = excluded.with_deals, with_own_deals = excluded.with_own_deals;
    delete from owner_deals_rollup where (deals, value, unpriced, usual, own) = (0, 0, 0, 0, 0);
    delete from company_deals_rollup where (deals, value, unpriced) = (0, 0, 0);
    delete from company_contacts_rollup where contacts = 0;
    delete from owner_activities_rollup where activities = 0;
    delete from owner_companies_rollup where companies = 0;
end $$;
select recount_rollups();

-- Idempotency ----------------------------------------------------------------------------------------------------------
-- What a client calls a change, so that sending it again does not make it again. `digest` is of the input; `answer` is
-- the row as it was answered, or the results of a bulk change. Written in the transaction of the change itself.
create table idempotency_key (
    subject text not null,
    key     text not null,
    digest  bytea not null,
    answer  jsonb,
    used_at timestamptz not null default now(),
    primary key (subject, key)
);
create index idempotency_key_by_time on idempotency_key (used_at);
