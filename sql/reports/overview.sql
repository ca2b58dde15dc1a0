-- The head of the dashboard: how much happened lately, and how many companies there are. From the rollups.
-- use: reports/pipeline

-- $1 visible owner; $2 owner, unused for everyone's; $3-$4 the day and $5-$6 the week, from and before.
-- Activities are kept by whole hours of UTC; where a day does not begin with one (in Kathmandu, say), those of the
-- broken hours at its ends are counted. Everyone's figures, asked by one who sees their own alone, are those.

-- `owner_companies` without its rows for everyone, which an owner has none of: only to set that up takes 50 of 280 us.

-- define: of_owners
(table owner_companies_rollup union all table company_shift) as of_owners

-- define: counted
-- with scope all: whose = coalesce($1::uuid, everyone()); of_activity = ($2::uuid is null or true); companies_of = owner_companies
-- with scope owner: whose = nullif($2::uuid, everyone()); of_activity = activity.owner_id = $2::uuid; companies_of = {of_owners}
with spans as (
    select place, start, before, hour_of(start + interval '1 hour - 1 microsecond') as first_hour, hour_of(before) as last_hour
    from (values (1, $3::timestamptz, $4::timestamptz), (2, $5::timestamptz, $6::timestamptz)) as span (place, start, before)
), counted as (
    select place, coalesce((
        select sum(activities)
        from owner_activities
        where owner_id = {whose} and ($1::uuid is null or owner_id = $1) and hour >= first_hour and hour < last_hour
    ), 0) + (
        select count(*) from activity
        where {of_activity} and activity.deleted_at is null and ($1::uuid is null or activity.owner_id = $1)
          and activity.occurred_at >= start and activity.occurred_at < first_hour
    ) + (
        select count(*) from activity
        where {of_activity} and activity.deleted_at is null and ($1::uuid is null or activity.owner_id = $1)
          and activity.occurred_at >= last_hour and activity.occurred_at < before
    ) as activities
    from spans
)
select (select activities::bigint from counted where place = 1) as activities_today,
       (select activities::bigint from counted where place = 2) as activities_this_week,
       coalesce(sum(companies), 0)::bigint as companies,
       coalesce(sum(case when $1::uuid is null then with_deals else with_own_deals end), 0)::bigint as companies_with_deals
from {companies_of}
where owner_id = {whose} and ($1::uuid is null or owner_id = $1)

-- name: of_{scope} -> OverviewRow
{counted};

-- name: with_deals_of_{scope} -> OverviewWithDealsRow
-- The pipeline of the same owner along with it, for less than half of what a second statement takes: a row for each stage
-- that has deals, or a single one without a stage.
-- with ids one: wanted = (values ($2::uuid, 1::bigint)) as wanted (id, place)
select head.*, deals.*
from (
{counted}
) as head
left join (
{by_stage}
) as deals on true;
