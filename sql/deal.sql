-- Deals: sales opportunities. A deal's status and, unless it has its own, its probability come from its stage.
-- use: paging

-- define: table
deal

-- define: source
deal join stage on stage.id = deal.stage_id

-- define: columns
deal.id, deal.name, deal.value::float8 as value, deal.stage_id,
       case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end as status,
       coalesce(deal.probability, stage.probability) as probability,
       deal.expected_close_date, deal.closed_at, deal.company_id, deal.contact_id, deal.owner_id,
       deal.external_id, deal.created_at, deal.updated_at

-- define: visible
($1::uuid is null or deal.owner_id = $1)

-- define: matches
($8::text[] is null or case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end = any($8))
      and ($9::uuid[] is null or deal.stage_id = any($9))
      and ($10::uuid is null or deal.company_id = $10)
      and ($11::uuid is null or deal.contact_id = $11)
      and ($12::numeric is null or deal.value >= $12)
      and ($13::numeric is null or deal.value <= $13)
      and ($14::date is null or deal.expected_close_date >= $14)
      and ($15::date is null or deal.expected_close_date <= $15)
      and ($16::timestamptz is null or deal.created_at >= $16)
      and ($17::timestamptz is null or deal.created_at < $17)

-- define: asked
$18::text

-- define: words
deal.search

-- define: title
deal.name

-- define: owned
(wanted.id is null or deal.owner_id = wanted.id)

-- define: sorts
-- with sort created_at: key = deal.created_at; {times}
-- with sort value: key = coalesce(deal.value, -1); {amounts}
-- with sort close_date: key = coalesce(deal.expected_close_date, 'infinity'); {days}
-- with sort name: key = (lower(deal.name) collate "C"); {texts}

-- name: by_ids -> DealRow
-- $1 visible owner; $2 ids. An id of nothing, or of what may not be seen, has no row.
{by_ids};

-- name: page_of_{scope}_by_{sort}_{way} -> DealRow
{sorts}
{ways}
-- with scope all: within = true
-- with scope owner: within = deal.owner_id = wanted.id
{page};

-- name: page_of_company_by_{sort}_{way} -> DealRow
{ways}
-- with sort created_at: key = deal.created_at; {times}; within = deal.company_id = wanted.id
{page};

-- name: search_by_{sort}_{way} -> DealRow
{sorts}
{ranks}
{ways}
{search};

-- name: count_of_{scope} -> CountRow
-- with scope all: within = true
-- with scope owner: within = deal.owner_id = wanted.id
-- with scope company: within = deal.company_id = wanted.id
{count};

-- name: count_of_search -> CountRow
{count_of_answers};

-- name: totals_of_companies -> DealTotalsRow
-- $1 visible owner; $2 company ids. A company without deals has no row. Read from the index deal_totals_of_company.
select deal.company_id, count(*) as deals, coalesce(sum(deal.value), 0)::float8 as value,
       count(*) filter (where deal.value is null) as unpriced
from deal
where deal.company_id = any($2::uuid[]) and {visible}
group by deal.company_id;
