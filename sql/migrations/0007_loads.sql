-- A load of many rows (dealgraph.loading, 0002_writes.sql) counts its activities straight into their rollup. They are of many
-- owners and hours, so that their deltas are nearly as many as they are: to count 500,000 took PostgreSQL 3.6 s that way, the
-- fold included, and takes 1.6.

create or replace function activity_insert_counted() returns trigger language plpgsql as $$
begin
    if is_loading() then
        -- The number of who folds, until the load is committed: two that write the rollup would wait for each other. A load
        -- that locks tables has taken it before those.
        perform pg_advisory_xact_lock(1685418093);
        with counted as materialized (
            select owner_id, hour_of(occurred_at) as hour, count(*) as activities
            from new_rows
            where deleted_at is null
            group by owner_id, hour_of(occurred_at)
        )
        insert into owner_activities_rollup as kept (owner_id, hour, activities)
        select owner_id, hour, activities
        from (
            select owner_id, hour, activities from counted
            union all select everyone(), hour, sum(activities) from counted group by hour
        ) as counted
        order by owner_id, hour
        on conflict (owner_id, hour) do update set activities = kept.activities + excluded.activities;
    else
        insert into owner_activities_delta (owner_id, hour, activities)
        select owner_id, hour_of(occurred_at), count(*)
        from new_rows
        where deleted_at is null
        group by owner_id, hour_of(occurred_at);
    end if;
    if (select count(*) from (select from new_rows limit 201) as few) > 200 then
        perform announce('activities', 'activities');
    else
        perform announce('activities', string_agg(tag, ' '))
        from (
            select distinct tag
            from new_rows
            cross join lateral (values
                ('activity:' || id), ('activities-of-owner:' || owner_id), ('activities-of-company:' || company_id),
                ('activities-of-deal:' || deal_id), ('activities-of-contact:' || contact_id)
            ) as tags (tag)
        ) as tags;
    end if;
    return null;
end $$;
