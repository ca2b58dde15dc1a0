-- What has served its time: deleted rows that can no longer be restored, and idempotency keys.
-- In all: $1 how long ago; $2 how many rows at most.

-- name: purge_activities -> PurgedRow
with gone as materialized (
    select id from activity where deleted_at <= now() - $1::interval order by deleted_at limit $2 for update skip locked
), purged as (
    delete from activity using gone where activity.id = gone.id returning activity.id
)
select count(*) as purged from purged;

-- What refers to a row that is to go loses the reference first, in portions too: of one company there may be 100,000 rows.
-- A few rows at a time are gone through, and held, so that none is restored meanwhile.

-- name: free_{whom} -> PurgedRow
-- with whom activities_of_deals: child = activity; parent = deal
-- with whom activities_of_contacts: child = activity; parent = contact
-- with whom deals_of_contacts: child = deal; parent = contact
-- with whom activities_of_companies: child = activity; parent = company
-- with whom deals_of_companies: child = deal; parent = company
-- with whom contacts_of_companies: child = contact; parent = company
with gone as materialized (
    select id from {parent}
    where deleted_at <= now() - $1::interval and exists (select from {child} where {child}.{parent}_id = {parent}.id)
    order by deleted_at limit 20 for update skip locked
), held as materialized (
    select {child}.id from gone join {child} on {child}.{parent}_id = gone.id limit $2 for update of {child} skip locked
), freed as (
    update {child} set {parent}_id = null from held where {child}.id = held.id returning {child}.id
)
select count(*) as purged from freed;

-- name: purge_deals -> PurgedRow
-- The stage history goes with the deal.
with gone as materialized (
    select id from deal
    where deleted_at <= now() - $1::interval
      and not exists (select from activity where activity.deal_id = deal.id)
    order by deleted_at limit $2 for update skip locked
), purged as (
    delete from deal using gone where deal.id = gone.id returning deal.id
)
select count(*) as purged from purged;

-- name: purge_contacts -> PurgedRow
with gone as materialized (
    select id from contact
    where deleted_at <= now() - $1::interval
      and not exists (select from activity where activity.contact_id = contact.id)
      and not exists (select from deal where deal.contact_id = contact.id)
    order by deleted_at limit $2 for update skip locked
), purged as (
    delete from contact using gone where contact.id = gone.id returning contact.id
)
select count(*) as purged from purged;

-- name: purge_companies -> PurgedRow
with gone as materialized (
    select id from company
    where deleted_at <= now() - $1::interval
      and not exists (select from activity where activity.company_id = company.id)
      and not exists (select from deal where deal.company_id = company.id)
      and not exists (select from contact where contact.company_id = company.id)
    order by deleted_at limit $2 for update skip locked
), purged as (
    delete from company using gone where company.id = gone.id returning company.id
)
select count(*) as purged from purged;

-- name: purge_keys -> PurgedRow
with gone as materialized (
    select subject, key from idempotency_key where used_at <= now() - $1::interval order by used_at limit $2
), purged as (
    delete from idempotency_key using gone
    where (idempotency_key.subject, idempotency_key.key) = (gone.subject, gone.key)
    returning idempotency_key.key
)
select count(*) as purged from purged;
