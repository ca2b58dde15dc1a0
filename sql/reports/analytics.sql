-- How a company is doing, and how engaged it is: a score of 0 to 100 from five factors, each with its weight, the
-- value that was found, the part of its weight that the value earns, and the points that makes.

-- define: activities
activity where activity.company_id = company.id and activity.deleted_at is null and ($1::uuid is null or activity.owner_id = $1)

-- name: of_companies -> CompanyAnalyticsRow
-- $1 visible owner; $2 company ids; $3 now. One row for each: what may be seen of whatever hangs on it. A company that has just
-- been deleted is told with its figures, as it is with its totals. `changes_at` is when an activity begins to count, or is one of
-- the last 30 days no more. Of activities each figure is looked up by itself: there may be 100,000, of which few are needed.
with counted as (
    select company.id,
           deals.active, deals.won, deals.lost, deals.value, deals.unpriced,
           activities.last_30_days, activities.last_at, activities.changes_at, contacts.total as contacts
    from unnest($2::uuid[]) as company (id)
    cross join lateral (
        select count(*) filter (where not stage.is_won and not stage.is_lost) as active,
               count(*) filter (where stage.is_won) as won,
               count(*) filter (where stage.is_lost) as lost,
               coalesce(sum(deal.value), 0)::float8 as value,
               count(*) filter (where deal.value is null) as unpriced
        from deal
        join stage on stage.id = deal.stage_id
        where deal.company_id = company.id and deal.deleted_at is null and ($1::uuid is null or deal.owner_id = $1)
    ) as deals
    cross join lateral (
        select (select count(*) from {activities} and occurred_at > $3::timestamptz - interval '30 days' and occurred_at <= $3)
                   as last_30_days,
               (select max(occurred_at) from {activities} and occurred_at <= $3) as last_at,
               least((select min(occurred_at) from {activities} and occurred_at > $3),
                     (select min(occurred_at) from {activities} and occurred_at > $3 - interval '30 days') + interval '30 days')
                   as changes_at
    ) as activities
    cross join lateral (
        select count(*) as total
        from contact
        where contact.company_id = company.id and contact.deleted_at is null and ($1::uuid is null or contact.owner_id = $1)
    ) as contacts
), scored as (
    select counted.id, array_agg(factor.name order by factor.place) as names,
           array_agg(factor.weight::float8 order by factor.place) as weights,
           array_agg(factor.value::float8 order by factor.place) as found,
           array_agg(round(100 * factor.weight * least(1, greatest(0, factor.share)), 2)::float8 order by factor.place) as points
    from counted
    cross join lateral (values
        (1, 'Activities in the last 30 days (10 earn all)', 0.30, counted.last_30_days::numeric, counted.last_30_days / 10.0),
        (2, 'Days since the last activity (0 earn all, 60 nothing)', 0.25,
            extract(epoch from $3::timestamptz - counted.last_at) / 86400,
            coalesce(1 - extract(epoch from $3::timestamptz - counted.last_at) / 86400 / 60, 0)),
        (3, 'Open deals (5 earn all)', 0.20, counted.active, counted.active / 5.0),
        (4, 'Share of closed deals that were won', 0.15,
            counted.won::numeric / nullif(counted.won + counted.lost, 0),
            coalesce(counted.won::numeric / nullif(counted.won + counted.lost, 0), 0)),
        (5, 'Contacts (5 earn all)', 0.10, counted.contacts, counted.contacts / 5.0)
    ) as factor (place, name, weight, value, share)
    group by counted.id
)
select counted.id, (select round(sum(each)::numeric, 2)::float8 from unnest(scored.points) as each) as engagement_score,
       scored.names, scored.weights, scored.found, scored.points,
       counted.active as active_deals, counted.won as won_deals, counted.lost as lost_deals,
       counted.value as total_value, counted.unpriced as unpriced_count,
       counted.last_30_days as activity_count_30d, counted.last_at as last_activity_at, counted.changes_at
from counted
join scored on scored.id = counted.id;
