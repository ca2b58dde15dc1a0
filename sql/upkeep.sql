-- What has served its time: deleted rows that can no longer be restored, and idempotency keys.
-- In all: $1 how long ago; $2 how many rows at most. Rows that refer to a purged one lose the reference.

-- name: purge_activities -> PurgedRow
with gone as materialized (
    select id from activity where deleted_at <= now() - $1::interval order by deleted_at limit $2 for update skip locked
), purged as (
    delete from activity using gone where activity.id = gone.id returning activity.id
)
select count(*) as purged from purged;

-- name: purge_deals -> PurgedRow
-- The stage history goes with the deal.
with gone as materialized (
    select id from deal where deleted_at <= now() - $1::interval order by deleted_at limit $2 for update skip locked
), activities as (
    update activity set deal_id = null from gone where activity.deal_id = gone.id
), purged as (
    delete from deal using gone where deal.id = gone.id returning deal.id
)
select count(*) as purged from purged;

-- name: purge_contacts -> PurgedRow
with gone as materialized (
    select id from contact where deleted_at <= now() - $1::interval order by deleted_at limit $2 for update skip locked
), activities as (
    update activity set contact_id = null from gone where activity.contact_id = gone.id
), deals as (
    update deal set contact_id = null from gone where deal.contact_id = gone.id
), purged as (
    delete from contact using gone where contact.id = gone.id returning contact.id
)
select count(*) as purged from purged;

-- name: purge_companies -> PurgedRow
with gone as materialized (
    select id from company where deleted_at <= now() - $1::interval order by deleted_at limit $2 for update skip locked
), activities as (
    update activity set company_id = null from gone where activity.company_id = gone.id
), deals as (
    update deal set company_id = null from gone where deal.company_id = gone.id
), contacts as (
    update contact set company_id = null from gone where contact.company_id = gone.id
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
