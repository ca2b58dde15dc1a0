-- Companies: the organisations we sell to.

-- define: columns
company.id, company.name, company.domain, company.website, company.industry, company.size,
       company.revenue::float8 as revenue, company.location, company.owner_id, company.external_id,
       company.created_at, company.updated_at

-- define: visible
($1::uuid is null or company.owner_id = $1)

-- define: matches
($2::text[] is null or company.industry = any($2))
      and ($3::text[] is null or company.size = any($3))
      and ($4::text[] is null or company.location = any($4))
      and ($5::text is null or lower(company.domain) = lower($5))
      and ($6::numeric is null or company.revenue >= $6)
      and ($7::numeric is null or company.revenue <= $7)
      and ($8::timestamptz is null or company.created_at >= $8)
      and ($9::timestamptz is null or company.created_at < $9)

-- define: kept
case when {visible} and {matches} then true end

-- define: wanted
unnest($10::uuid[], $11::text[], $12::uuid[], $13::text[], $14::uuid[], $15::int[]) with ordinality
    as wanted (id, lower_key, lower_id, upper_key, upper_id, size, place)

-- define: in_window
({key}, company.id) > (coalesce(wanted.lower_key::{type}, {lowest}), coalesce(wanted.lower_id, '00000000-0000-0000-0000-000000000000'))
      and ({key}, company.id) < (coalesce(wanted.upper_key::{type}, {highest}), coalesce(wanted.upper_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))

-- define: sorts
-- with sort name: key = (lower(company.name) collate "C"); type = text; lowest = ''; highest = repeat(chr(1114111), 301)
-- with sort created_at: key = company.created_at; type = timestamptz; lowest = '-infinity'; highest = 'infinity'
-- with sort revenue: key = coalesce(company.revenue, -1); type = numeric; lowest = '-infinity'; highest = 'infinity'

-- define: ways
-- with way up: order = asc
-- with way down: order = desc

-- name: by_ids -> CompanyRow
-- $1 visible owner; $2 ids. An id with no row here, or with one that may not be seen, has no row.
select {columns}
from company
where company.id = any($2::uuid[]) and {visible};

-- A page for each window: parameters as in deal.sql, the filter in $2-$9, the windows in $10-$15.

-- define: page
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from company
    where {within} and {kept}
      and {in_window}
    order by {key} {order}, company.id {order}
    limit wanted.size
) as page
order by wanted.place

-- name: page_of_{scope}_by_{sort}_{way} -> CompanyRow
{sorts}
{ways}
-- with scope all: within = true
-- with scope owner: within = company.owner_id = wanted.id
{page};

-- name: search_by_{sort}_{way} -> CompanyRow
-- Pages of the companies that answer $16: by their words, or by a name that looks like it.
{sorts}
-- with sort relevance: key = found.rank; type = bigint; lowest = -1; highest = 9223372036854775807
{ways}
with question as materialized (
    select fold($16::text) as words, websearch_to_tsquery('simple', fold($16::text)) as query
), found as materialized (
    select company.id,
           ((ts_rank(company.search, question.query) + word_similarity(question.words, fold(company.name))) * 1000000)::bigint as rank
    from question
    join company on company.search @@ question.query or fold(company.name) %> question.words
    where {visible}
)
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from found
    join company on company.id = found.id
    where (wanted.id is null or company.owner_id = wanted.id) and {visible} and {matches}
      and {in_window}
    order by {key} {order}, company.id {order}
    limit wanted.size
) as page
order by wanted.place;

-- name: count_of_{scope} -> CountRow
-- $1 visible owner; $2-$9 the filter; $10 what the lists are of. One row for each, in their order.
-- with scope all: within = true
-- with scope owner: within = company.owner_id = wanted.id
select wanted.place, (
    select count(*) from company where {within} and {visible} and {matches}
) as total
from unnest($10::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;

-- name: count_of_search -> CountRow
-- As above, of the companies that answer $11.
select wanted.place, (
    select count(*)
    from company
    where (company.search @@ websearch_to_tsquery('simple', fold($11::text)) or fold(company.name) %> fold($11::text))
      and (wanted.id is null or company.owner_id = wanted.id) and {visible} and {matches}
) as total
from unnest($10::uuid[]) with ordinality as wanted (id, place)
order by wanted.place;
