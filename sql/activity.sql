-- Activities: calls, e-mails, meetings, notes and tasks. A task is open until it has been completed.

-- define: columns
activity.id, activity.type, activity.subject, activity.body,
       case when activity.type = 'TASK' and activity.completed_at is null then 'OPEN' else 'COMPLETED' end as status,
       activity.occurred_at, activity.due_at, activity.completed_at, activity.company_id, activity.deal_id,
       activity.contact_id, activity.owner_id, activity.external_id, activity.created_at, activity.updated_at

-- define: visible
($1::uuid is null or activity.owner_id = $1)

-- define: matches
($2::text[] is null or activity.type = any($2))
      and ($3::text is null or ($3 = 'OPEN') = (activity.type = 'TASK' and activity.completed_at is null))
      and ($4::uuid is null or activity.company_id = $4)
      and ($5::uuid is null or activity.deal_id = $5)
      and ($6::uuid is null or activity.contact_id = $6)
      and ($7::timestamptz is null or activity.occurred_at >= $7)
      and ($8::timestamptz is null or activity.occurred_at < $8)
      and ($9::timestamptz is null or activity.due_at >= $9)
      and ($10::timestamptz is null or activity.due_at < $10)

-- define: kept
case when {visible} and {matches} then true end

-- define: wanted
unnest($11::uuid[], $12::text[], $13::uuid[], $14::text[], $15::uuid[], $16::int[]) with ordinality
    as wanted (id, lower_key, lower_id, upper_key, upper_id, size, place)

-- define: in_window
({key}, activity.id) > (coalesce(wanted.lower_key::{type}, {lowest}), coalesce(wanted.lower_id, '00000000-0000-0000-0000-000000000000'))
      and ({key}, activity.id) < (coalesce(wanted.upper_key::{type}, {highest}), coalesce(wanted.upper_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))

-- define: sorts
-- with sort occurred_at: key = activity.occurred_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'
-- with sort due_at: key = coalesce(activity.due_at, 'infinity'); type = timestamptz; lowest = '-infinity'; highest = 'infinity'

-- define: ways
-- with way up: order = asc
-- with way down: order = desc

-- name: by_ids -> ActivityRow
-- $1 visible owner; $2 ids. An id with no row here, or with one that may not be seen, has no row.
select {columns}
from activity
where activity.id = any($2::uuid[]) and {visible};

-- A page for each window: parameters as in deal.sql, the filter in $2-$10, the windows in $11-$16.

-- define: page
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from activity
    where {within} and {kept}
      and {in_window}
    order by {key} {order}, activity.id {order}
    limit wanted.size
) as page
order by wanted.place

-- name: page_of_{scope}_by_{sort}_{way} -> ActivityRow
{sorts}
{ways}
-- with scope all: within = true
-- with scope owner: within = activity.owner_id = wanted.id
{page};

-- name: page_of_company_by_{sort}_{way} -> ActivityRow
{ways}
-- with sort occurred_at: key = activity.occurred_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'; within = activity.company_id = wanted.id
{page};

-- name: page_of_deal_by_{sort}_{way} -> ActivityRow
{ways}
-- with sort occurred_at: key = activity.occurred_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'; within = activity.deal_id = wanted.id
{page};

-- name: page_of_contact_by_{sort}_{way} -> ActivityRow
{ways}
-- with sort occurred_at: key = activity.occurred_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'; within = activity.contact_id = wanted.id
{page};

-- name: search_by_{sort}_{way} -> ActivityRow
-- Pages of the activities that answer $17: by their words, or by a subject that looks like it.
{sorts}
-- with sort relevance: key = found.rank; type = bigint; lowest = -1; highest = 9223372036854775807
{ways}
with question as materialized (
    select fold($17::text) as words, websearch_to_tsquery('simple', fold($17::text)) as query
), found as materialized (
    select activity.id,
           ((ts_rank(to_tsvector('simple', fold(activity.subject || ' ' || coalesce(activity.body, ''))), question.query) + word_similarity(question.words, fold(activity.subject))) * 1000000)::bigint as rank
    from question
    join activity on to_tsvector('simple', fold(activity.subject || ' ' || coalesce(activity.body, ''))) @@ question.query or fold(activity.subject) %> question.words
    where {visible}
)
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from found
    join activity on activity.id = found.id
    where (wanted.id is null or activity.owner_id = wanted.id) and {visible} and {matches}
      and {in_window}
    order by {key} {order}, activity.id {order}
    limit wanted.size
) as page
order by wanted.place;

-- name: count_of_{scope} -> CountRow
-- $1 visible owner; $2-$10 the filter; $11 what the lists are of. One row for each, in their order.
-- with scope all: within = true
-- with scope owner: within = activity.owner_id = wanted.id
-- with scope company: within = activity.company_id = wanted.id
-- with scope deal: within = activity.deal_id = wanted.id
-- with scope contact: within = activity.contact_id = wanted.id
select wanted.place, (
    select count(*) from activity where {within} and {visible} and {matches}
) as total
from unnest($11::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;

-- name: count_of_search -> CountRow
-- As above, of the activities that answer $12.
select wanted.place, (
    select count(*)
    from activity
    where (to_tsvector('simple', fold(activity.subject || ' ' || coalesce(activity.body, ''))) @@ websearch_to_tsquery('simple', fold($12::text)) or fold(activity.subject) %> fold($12::text))
      and (wanted.id is null or activity.owner_id = wanted.id) and {visible} and {matches}
) as total
from unnest($11::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;
