-- Lists, page by page: what the files of tables that `use` this share. Each of them says what it means by
--   table, joined (what it joins, if anything), columns, live (not deleted), visible, matches (the filter, from $8 on),
--   asked (the words of a search, the last parameter), texts_of (where its words are, if not in the table itself), words
--   (the text index), title (what a search may resemble, folded), owned, lookups (what of the filter leaves so few rows that
--   they are looked up by it, whatever the order), sorts.
--
-- The parameters of a page: $1 visible owner; then an array entry for each window: $2 whose list, $3-$4 and $5-$6 the
-- positions it lies between, null for the ends of the list, $7 its size; from $8 the filter, null where it does not
-- say; last the search, where there is one. `place` counts windows from 1, and rows come in the order of the list.

-- define: joined

-- define: source
{table} {joined}

-- What a page reads in its order. A table whose `joined` may be hashed says it with what stands `beside` it instead: of a
-- company with 50,000 deals all were joined and sorted, in 212 instead of 0.15 ms.

-- define: ordered
{source}

-- define: texts_of
{table}

-- define: searched
{texts_of}

-- define: wanted
unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::uuid[], $7::int[]) with ordinality
    as wanted (id, lower_key, lower_id, upper_key, upper_id, size, place)

-- One opaque condition: a generic plan takes each `$n is null or ...` for rare, expects a single row of all of them, and
-- then reads everything and sorts; of a case it expects half, and walks the index of the order.

-- define: kept
case when {visible} and {matches} then true end

-- What of the filter leaves a few rows of all stands outside of it once more, as `lookups`, and they are sorted: in the order of
-- the list 500,000 activities were walked for those of one deal, in 570 instead of 0.2 ms.

-- The coalesced bounds keep both comparisons index conditions under a generic plan, where `bound is null or ...` would
-- make them filters: 0.08 against 16.9 ms, 9,856 rows deep.

-- Where the filter says from and until what of the key, `lowest` and `highest` say so too, and keys that stand for nothing are
-- left out: within the opaque condition the whole order was walked, 2158 instead of 5 ms for one day among 1.2 million.

-- define: lower_end
(coalesce(wanted.lower_key::{type}, {lowest}), coalesce(wanted.lower_id, '00000000-0000-0000-0000-000000000000'))

-- define: upper_end
(coalesce(wanted.upper_key::{type}, {highest}), coalesce(wanted.upper_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))

-- define: in_window
({key}, {table}.id) > {lower_end} and ({key}, {table}.id) < {upper_end}

-- define: scopes
-- with scope all: within = true
-- with scope owner: within = {table}.owner_id = wanted.id

-- define: ways
-- with way up: order = asc
-- with way down: order = desc

-- define: times
type = timestamptz; lowest = '-infinity'; highest = 'infinity'

-- No text of at most 300 characters comes after 301 of the last character there is.

-- define: texts
type = text; lowest = ''; highest = repeat(chr(1114111), 301)

-- define: pages
{wanted}
cross join lateral (
    select {columns}, ({key})::text as sort_key
    from {ordered}
    where {within} and {live} and {kept} and {in_window}
    order by {key} {order}, {table}.id {order}
    limit wanted.size
) as page

-- define: page
select page.*, wanted.place
from {pages}
order by wanted.place

-- define: count
select wanted.place, (select count(*) from {source} where {within} and {live} and {visible} and {matches}) as total
from {wanted}
order by wanted.place

-- The first rows of the lists of many parents: $1 visible owner; $2 parents. The size is written out, since a generic plan
-- knows nothing of a limit that is a parameter; it is one of these, the next that is enough. A list's `line` is what is read
-- of its table, and `shown` what is made of that and of what stands `beside` it: joined below the limit, that would be read
-- anew for each row (303 against 414 us for the deals of 50 companies).

-- define: shown
{table}.*

-- define: beside

-- define: first
-- with most 5: size = 5
-- with most 20: size = 20
-- with most 100: size = 100
select {shown}, wanted.place
from unnest($2::uuid[]) with ordinality as wanted (id, place)
cross join lateral (
    select {line}
    from {table}
    where {within} and {live} and {visible}
    order by {by}
    limit {size}
) as {table} {beside}
order by wanted.place

-- A row answers a search by its words, or by a title that looks like them. What looks alike is only found by looking at each
-- title again that shares letters, which among 500,000 activities takes ten times as long as the words (700 against 58 ms for
-- "call"): it is for words that are misspelt, so where 5,000 rows have them, whosever, it is left out. All windows of a search
-- are of one list, `wanted`.

-- define: question
select fold({asked}) as text, websearch_to_tsquery('simple', fold({asked})) as query

-- define: whose
(select ($2::uuid[])[1] as id) as wanted

-- define: answers
question as materialized ({question}), worded as materialized (
    select {table}.id, {key} as key
    from question cross join {whose} cross join {searched} {joined}
    where {words} @@ question.query and {owned} and {live} and {visible} and {matches}
), answers as materialized (
    select id, key from worded
    union all
    select {table}.id, {key}
    from question cross join {whose} cross join {searched} {joined}
    where {title} %> question.text and {owned} and {live} and {visible} and {matches} and {table}.id not in (select id from worded)
          and (select count(*) < 5000 from (select from question cross join {texts_of} where {words} @@ question.query limit 5000) as first)
)

-- define: page_of_answers
select page.*, wanted.place
from {wanted}
cross join lateral (
    select {columns}, chosen.key::text as sort_key
    from (
        select id, key
        from placed
        where (key, id) > {lower_end} and (key, id) < {upper_end}
        order by key {order}, id {order}
        limit wanted.size
    ) as chosen
    join {table} on {table}.id = chosen.id {joined}
    where {visible}
    order by chosen.key {order}, chosen.id {order}
) as page
order by wanted.place

-- define: search
with {answers}, placed as (select id, key from answers)
{page_of_answers}

-- The best answers first: of those of more than 5,000 that are the latest, then the others. Ranked all of them, 150,000
-- activities with "call" took 2.5 s. The rank is a whole number, so that pages neither repeat nor lose a row to rounding.

-- define: best
-- with sort relevance: key = {recent}; type = bigint; lowest = -1; highest = 9223372036854775807
with {answers}, ranked as materialized (
    select latest.id, ((ts_rank({words}, question.query) + word_similarity(question.text, {title})) * 1000000)::bigint as rank
    from question
    cross join (select id from answers order by key desc, id desc limit 5000) as latest
    join {searched} on {table}.id = latest.id
), placed as materialized (
    select answers.id, coalesce(ranked.rank, 0) as key
    from answers
    left join ranked on ranked.id = answers.id
)
{page_of_answers}

-- define: recent
{table}.created_at

-- define: count_of_answers
-- with key none: key = null
with {answers}
select wanted.place, (select count(*) from answers) as total
from {wanted}
order by wanted.place

-- define: by_ids
select {columns}
from {source}
where {table}.id = any($2::uuid[]) and {live} and {visible}
