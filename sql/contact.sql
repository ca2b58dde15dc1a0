-- Contacts: the people at the companies.

-- define: columns
contact.id, contact.first_name, contact.last_name, contact.full_name, contact.email, contact.phone, contact.title,
       contact.role, contact.company_id, contact.owner_id, contact.external_id, contact.created_at, contact.updated_at

-- define: visible
($1::uuid is null or contact.owner_id = $1)

-- define: matches
($2::uuid is null or contact.company_id = $2)
      and ($3::text[] is null or contact.role = any($3))
      and ($4::text is null or lower(contact.email) = lower($4))
      and ($5::boolean is null or (contact.email is not null) = $5)
      and ($6::timestamptz is null or contact.created_at >= $6)
      and ($7::timestamptz is null or contact.created_at < $7)

-- define: kept
case when {visible} and {matches} then true end

-- define: wanted
unnest($8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::uuid[], $13::int[]) with ordinality
    as wanted (id, lower_key, lower_id, upper_key, upper_id, size, place)

-- define: in_window
({key}, contact.id) > (coalesce(wanted.lower_key::{type}, {lowest}), coalesce(wanted.lower_id, '00000000-0000-0000-0000-000000000000'))
      and ({key}, contact.id) < (coalesce(wanted.upper_key::{type}, {highest}), coalesce(wanted.upper_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))

-- define: sorts
-- with sort name: key = (lower(contact.full_name) collate "C"); type = text; lowest = ''; highest = repeat(chr(1114111), 301)
-- with sort created_at: key = contact.created_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'

-- define: ways
-- with way up: order = asc
-- with way down: order = desc

-- name: by_ids -> ContactRow
-- $1 visible owner; $2 ids. An id with no row here, or with one that may not be seen, has no row.
select {columns}
from contact
where contact.id = any($2::uuid[]) and {visible};

-- A page for each window: parameters as in deal.sql, the filter in $2-$7, the windows in $8-$13.

-- define: page
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from contact
    where {within} and {kept}
      and {in_window}
    order by {key} {order}, contact.id {order}
    limit wanted.size
) as page
order by wanted.place

-- name: page_of_{scope}_by_{sort}_{way} -> ContactRow
{sorts}
{ways}
-- with scope all: within = true
-- with scope owner: within = contact.owner_id = wanted.id
{page};

-- name: page_of_company_by_{sort}_{way} -> ContactRow
{ways}
-- with sort name: key = (lower(contact.full_name) collate "C"); type = text; lowest = ''; highest = repeat(chr(1114111), 301); within = contact.company_id = wanted.id
{page};

-- name: search_by_{sort}_{way} -> ContactRow
-- Pages of the contacts that answer $14: by their words, or by a name that looks like it.
{sorts}
-- with sort relevance: key = found.rank; type = bigint; lowest = -1; highest = 9223372036854775807
{ways}
with question as materialized (
    select fold($14::text) as words, websearch_to_tsquery('simple', fold($14::text)) as query
), found as materialized (
    select contact.id,
           ((ts_rank(contact.search, question.query) + word_similarity(question.words, fold(contact.full_name))) * 1000000)::bigint as rank
    from question
    join contact on contact.search @@ question.query or fold(contact.full_name) %> question.words
    where {visible}
)
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from found
    join contact on contact.id = found.id
    where (wanted.id is null or contact.owner_id = wanted.id) and {visible} and {matches}
      and {in_window}
    order by {key} {order}, contact.id {order}
    limit wanted.size
) as page
order by wanted.place;

-- name: count_of_{scope} -> CountRow
-- $1 visible owner; $2-$7 the filter; $8 what the lists are of. One row for each, in their order.
-- with scope all: within = true
-- with scope owner: within = contact.owner_id = wanted.id
-- with scope company: within = contact.company_id = wanted.id
select wanted.place, (
    select count(*) from contact where {within} and {visible} and {matches}
) as total
from unnest($8::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;

-- name: count_of_search -> CountRow
-- As above, of the contacts that answer $9.
select wanted.place, (
    select count(*)
    from contact
    where (contact.search @@ websearch_to_tsquery('simple', fold($9::text)) or fold(contact.full_name) %> fold($9::text))
      and (wanted.id is null or contact.owner_id = wanted.id) and {visible} and {matches}
) as total
from unnest($8::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;

-- name: totals_of_companies -> ContactCountRow
-- $1 visible owner; $2 company ids. A company without contacts has no row.
select contact.company_id, count(*) as contacts
from contact
where contact.company_id = any($2::uuid[]) and {visible}
group by contact.company_id;
