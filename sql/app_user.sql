-- Users: the people who own companies, contacts, deals and activities.

-- define: columns
app_user.id, app_user.name, app_user.email, app_user.external_id, app_user.created_at, app_user.updated_at

-- define: visible
($1::uuid is null or app_user.id = $1)

-- define: matches
($2::text is null or lower(app_user.email) = lower($2))
      and ($3::timestamptz is null or app_user.created_at >= $3)
      and ($4::timestamptz is null or app_user.created_at < $4)

-- define: kept
case when {visible} and {matches} then true end

-- define: wanted
unnest($5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::uuid[], $10::int[]) with ordinality
    as wanted (id, lower_key, lower_id, upper_key, upper_id, size, place)

-- define: in_window
({key}, app_user.id) > (coalesce(wanted.lower_key::{type}, {lowest}), coalesce(wanted.lower_id, '00000000-0000-0000-0000-000000000000'))
      and ({key}, app_user.id) < (coalesce(wanted.upper_key::{type}, {highest}), coalesce(wanted.upper_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))

-- define: sorts
-- with sort name: key = (lower(app_user.name) collate "C"); type = text; lowest = ''; highest = repeat(chr(1114111), 301)
-- with sort created_at: key = app_user.created_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'

-- define: ways
-- with way up: order = asc
-- with way down: order = desc

-- name: by_ids -> UserRow
-- $1 visible owner; $2 ids. An id with no row here, or with one that may not be seen, has no row.
select {columns}
from app_user
where app_user.id = any($2::uuid[]) and {visible};

-- A page for each window: parameters as in deal.sql, the filter in $2-$4, the windows in $5-$10.

-- define: page
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from app_user
    where {within} and {kept}
      and {in_window}
    order by {key} {order}, app_user.id {order}
    limit wanted.size
) as page
order by wanted.place

-- name: page_of_{scope}_by_{sort}_{way} -> UserRow
{sorts}
{ways}
-- with scope all: within = true
{page};

-- name: search_by_{sort}_{way} -> UserRow
-- Pages of the users that answer $11: by their words, or by a name that looks like it.
{sorts}
-- with sort relevance: key = found.rank; type = bigint; lowest = -1; highest = 9223372036854775807
{ways}
with question as materialized (
    select fold($11::text) as words, websearch_to_tsquery('simple', fold($11::text)) as query
), found as materialized (
    select app_user.id,
           ((ts_rank(app_user.search, question.query) + word_similarity(question.words, fold(app_user.name))) * 1000000)::bigint as rank
    from question
    join app_user on app_user.search @@ question.query or fold(app_user.name) %> question.words
    where {visible}
)
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from found
    join app_user on app_user.id = found.id
    where true and {visible} and {matches}
      and {in_window}
    order by {key} {order}, app_user.id {order}
    limit wanted.size
) as page
order by wanted.place;

-- name: count_of_{scope} -> CountRow
-- $1 visible owner; $2-$4 the filter; $5 what the lists are of. One row for each, in their order.
-- with scope all: within = true
select wanted.place, (
    select count(*) from app_user where {within} and {visible} and {matches}
) as total
from unnest($5::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;

-- name: count_of_search -> CountRow
-- As above, of the users that answer $6.
select wanted.place, (
    select count(*)
    from app_user
    where (app_user.search @@ websearch_to_tsquery('simple', fold($6::text)) or fold(app_user.name) %> fold($6::text))
      and true and {visible} and {matches}
) as total
from unnest($5::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;
