-- References: whether what a new or changed row refers to is there.

-- name: found -> ReferenceRow
-- $1 visible owner; $2 ids; $3 what each is to be an id of. `place` counts them from 1; one that is not there, is of
-- something else, is deleted, or may not be seen has no row. The company is that of a contact, null where it is shown without
-- one: what it is with, and nobody can see, forbids it no deal. Nothing else keeps a deal's contact to its company.
select wanted.place, found.company_id
from unnest($2::uuid[], $3::text[]) with ordinality as wanted (id, kind, place)
cross join lateral (
    select null::uuid as company_id from company
    where wanted.kind = 'company' and company.id = wanted.id and company.deleted_at is null
      and ($1::uuid is null or company.owner_id = $1)
    union all
    select company.id from contact
    left join company on company.id = contact.company_id and company.deleted_at is null
        and ($1::uuid is null or company.owner_id = $1)
    where wanted.kind = 'contact' and contact.id = wanted.id and contact.deleted_at is null
      and ($1::uuid is null or contact.owner_id = $1)
    union all
    select null from deal
    where wanted.kind = 'deal' and deal.id = wanted.id and deal.deleted_at is null
      and ($1::uuid is null or deal.owner_id = $1)
    union all
    select null from app_user where wanted.kind = 'user' and app_user.id = wanted.id
    union all
    select null from stage where wanted.kind = 'stage' and stage.id = wanted.id
) as found;
