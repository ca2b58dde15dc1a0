-- Nodes: anything that has an id.

-- name: kinds -> NodeKindRow
-- $1 ids. The table of each; an id that is nowhere has no row. Whether it may be seen is decided where it is read.
select wanted.id, found.kind
from unnest($1::uuid[]) as wanted (id)
cross join lateral (
    select 'company' as kind from company where company.id = wanted.id
    union all select 'contact' from contact where contact.id = wanted.id
    union all select 'deal' from deal where deal.id = wanted.id
    union all select 'activity' from activity where activity.id = wanted.id
    union all select 'stage' from stage where stage.id = wanted.id
    union all select 'user' from app_user where app_user.id = wanted.id
) as found;
