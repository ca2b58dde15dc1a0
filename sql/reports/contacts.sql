-- Contacts counted.

-- name: of_{scope} -> ContactStatsRow
-- $1 visible owner; $2 owners, or nulls for everyone's; $3 since when a contact is new. One row for each, in order.
-- with scope all: within = true
-- with scope owner: within = contact.owner_id = wanted.id
select stats.*
from unnest($2::uuid[]) with ordinality as wanted (id, place)
cross join lateral (
    select count(*) as total, count(company_id) as with_company, count(email) as with_email,
           count(phone) as with_phone, count(distinct company_id) as companies,
           count(*) filter (where created_at >= $3::timestamptz) as new_last_30_days
    from contact
    where {within} and contact.deleted_at is null and ($1::uuid is null or contact.owner_id = $1)
) as stats
order by wanted.place;
