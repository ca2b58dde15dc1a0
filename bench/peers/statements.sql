-- What the peers ask PostgreSQL, all of them the same: one statement for each loader and each root.
--
-- They read the tables and the rollups that the server reads, and are as a person writes them by hand: no visible owner,
-- no filter, no later page. {limit} is put in as a whole number and makes a statement of its own for each size, for a
-- plan that is kept cannot know a limit that comes as a parameter.

-- name: companies_of_owner -> rows
select id, name, domain, industry, revenue::float8 as revenue, lower(name) collate "C" as "sortKey"
from company
where owner_id = $1::uuid and deleted_at is null
order by lower(name) collate "C", id
limit {limit};

-- name: deals_of_companies -> rows
select latest.id, latest.name, latest.value::float8 as value, latest.stage_id as "stageId", latest.company_id as "companyId",
       latest.contact_id as "contactId", latest.owner_id as "ownerId", latest.expected_close_date as "expectedCloseDate",
       latest.created_at as "createdAt", coalesce(latest.probability, stage.probability) as probability,
       case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end as status
from unnest($1::uuid[]) as wanted (id)
cross join lateral (
    select id, name, value, stage_id, company_id, contact_id, owner_id, expected_close_date, created_at, probability
    from deal
    where company_id = wanted.id and deleted_at is null
    order by created_at desc, id desc
    limit {limit}
) as latest
join stage on stage.id = latest.stage_id
order by latest.created_at desc, latest.id desc;

-- name: contacts_of_companies -> rows
select page.id, page.full_name as "fullName", page.email, page.title, page.company_id as "companyId"
from unnest($1::uuid[]) as wanted (id)
cross join lateral (
    select id, full_name, email, title, company_id
    from contact
    where company_id = wanted.id and deleted_at is null
    order by lower(full_name) collate "C", id
    limit {limit}
) as page
order by lower(page.full_name) collate "C", page.id;

-- name: contact_counts -> rows
select company_id as "companyId", sum(contacts)::int as contacts
from company_contacts
where company_id = any($1::uuid[])
group by company_id;

-- name: deal_values -> rows
select company_id as "companyId", sum(value)::float8 as value
from company_deals
where company_id = any($1::uuid[])
group by company_id;

-- name: companies -> rows
select id, name, domain, industry, revenue::float8 as revenue, lower(name) collate "C" as "sortKey"
from company
where id = any($1::uuid[]) and deleted_at is null;

-- name: contacts -> rows
select id, full_name as "fullName", email, title from contact where id = any($1::uuid[]) and deleted_at is null;

-- name: deals -> rows
select deal.id, deal.name, deal.value::float8 as value, deal.stage_id as "stageId", deal.company_id as "companyId",
       deal.contact_id as "contactId", deal.owner_id as "ownerId", deal.expected_close_date as "expectedCloseDate",
       deal.created_at as "createdAt", coalesce(deal.probability, stage.probability) as probability,
       case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end as status
from deal
join stage on stage.id = deal.stage_id
where deal.id = any($1::uuid[]) and deal.deleted_at is null;

-- name: stages -> rows
select id, name, color from stage where id = any($1::uuid[]);

-- name: users -> rows
select id, name from app_user where id = any($1::uuid[]);

-- name: pipeline -> rows
select stage.id, stage.name, stage.color, stage.is_won as "isWon", stage.is_lost as "isLost", coalesce(sum(deals), 0)::int as count,
       coalesce(sum(value), 0)::float8 as value,
       (coalesce(sum(own), 0) + coalesce(sum(usual), 0) * stage.probability::numeric)::numeric(20, 2)::float8 as "weightedValue"
from stage
left join owner_deals on owner_deals.stage_id = stage.id and owner_deals.owner_id = $1::uuid
group by stage.id
order by stage.position, stage.id;

-- name: activities_counted -> rows
select coalesce(sum(activities) filter (where hour >= date_trunc('day', now(), $2::text)
           and hour < date_trunc('day', now(), $2) + interval '1 day'), 0)::int as today,
       coalesce(sum(activities), 0)::int as "thisWeek"
from owner_activities
where owner_id = $1::uuid and hour >= date_trunc('week', now(), $2)
  and hour < date_trunc('week', now(), $2) + interval '7 days';

-- name: companies_counted -> rows
select coalesce(sum(companies), 0)::int as total, coalesce(sum(with_deals), 0)::int as "withDeals"
from owner_companies
where owner_id = $1::uuid;

-- name: latest_activities -> rows
select id, type, subject, occurred_at as "occurredAt", due_at as "dueAt", company_id as "companyId",
       deal_id as "dealId"
from activity
where owner_id = $1::uuid and deleted_at is null and occurred_at <= now()
order by occurred_at desc, id desc
limit {limit};

-- name: open_tasks -> rows
select id, type, subject, occurred_at as "occurredAt", due_at as "dueAt", company_id as "companyId",
       deal_id as "dealId"
from activity
where owner_id = $1::uuid and type = 'TASK' and completed_at is null and deleted_at is null
order by coalesce(due_at, 'infinity'), id
limit {limit};
