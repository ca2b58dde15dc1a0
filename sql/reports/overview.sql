-- The head of the dashboard: how much happened lately, and how many companies there are.

-- name: of_{scope} -> OverviewRow
-- $1 visible owner; $2 owner, unused for everyone's; $3-$4 the day and $5-$6 the week, from and before.
-- with scope all: of_activity = ($2::uuid is null or true); of_company = true; of_deal = deal.company_id is not null
-- with scope owner: of_activity = activity.owner_id = $2::uuid; of_company = company.owner_id = $2; of_deal = deal.owner_id = $2
select
    (select count(*) from activity
     where {of_activity} and ($1::uuid is null or activity.owner_id = $1)
       and activity.occurred_at >= $3::timestamptz and activity.occurred_at < $4::timestamptz) as activities_today,
    (select count(*) from activity
     where {of_activity} and ($1::uuid is null or activity.owner_id = $1)
       and activity.occurred_at >= $5::timestamptz and activity.occurred_at < $6::timestamptz) as activities_this_week,
    (select count(*) from company
     where {of_company} and ($1::uuid is null or company.owner_id = $1)) as companies,
    (select count(*) from company
     where {of_company} and ($1::uuid is null or company.owner_id = $1)
       and exists (select from deal where deal.company_id = company.id
                   and ($1::uuid is null or deal.owner_id = $1))) as companies_with_deals;
