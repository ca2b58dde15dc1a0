-- Deals: sales opportunities. A deal's status and, unless it has its own, its probability come from its stage.
-- use: paging
-- use: writing

-- define: table
deal

-- define: joined
join stage on stage.id = deal.stage_id

-- define: columns
deal.id, deal.name, deal.value::float8 as value, deal.stage_id,
       case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end as status,
       coalesce(deal.probability, stage.probability) as probability,
       deal.expected_close_date, deal.closed_at, deal.company_id, deal.contact_id, deal.owner_id,
       deal.external_id, deal.created_at, deal.updated_at, deal.version

-- What a list below a company shows of a deal, with nothing that takes long to read: 137 against 1,043 us for 250.

-- define: line
deal.id, deal.name, deal.value, deal.stage_id, deal.probability

-- define: shown
deal.id, deal.name, deal.value::float8 as value, deal.stage_id,
       case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end as status,
       coalesce(deal.probability, stage.probability) as probability

-- `offset 0` leaves PostgreSQL no join but the one that keeps the order of each list, with what it has looked up at hand.

-- define: beside
cross join lateral (select * from stage where stage.id = deal.stage_id offset 0) as stage

-- define: ordered
{table} {beside}

-- define: live
deal.deleted_at is null

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

-- define: texts_of
deal_words

-- define: searched
{texts_of} join deal on deal.id = deal_words.deal_id

-- define: words
deal_words.search

-- define: title
deal_words.title

-- define: owned
(wanted.id is null or deal.owner_id = wanted.id)

-- define: entered
type = timestamptz; lowest = coalesce($16::timestamptz, '-infinity'); highest = coalesce($17::timestamptz, 'infinity')

-- define: least
coalesce($12::numeric, case when $13::numeric is null then '-infinity'::numeric else 0 end)

-- define: worth
type = numeric; lowest = {least}; highest = coalesce($13::numeric, 'infinity')

-- define: last_closing
coalesce($15::date, case when $14::date is null then 'infinity'::date else '5874897-12-31' end)

-- define: closing
type = date; lowest = coalesce($14::date, '-infinity'); highest = {last_closing}

-- define: sorts
-- with sort created_at: key = deal.created_at; {entered}
-- with sort value: key = coalesce(deal.value, -1); {worth}
-- with sort close_date: key = coalesce(deal.expected_close_date, 'infinity'); {closing}
-- with sort name: key = (lower(deal.name) collate "C"); {texts}

-- define: lookups
-- with lookup contact: within = deal.contact_id = $11 and {owned}
-- with lookup company: within = deal.company_id = $10 and {owned}

-- define: written
name, value, stage_id, probability, expected_close_date, company_id, contact_id, owner_id, closed_at

-- define: given
given.name, given.value, given.stage_id, given.probability, given.expected_close_date, given.company_id,
       given.contact_id, given.owner_id

-- define: created
{given}, case when stage.is_won or stage.is_lost then now() end

-- define: changed
{given},
       case when given.stage_id = deal.stage_id then deal.closed_at when stage.is_won or stage.is_lost
       then greatest(now(), deal.updated_at + interval '1 microsecond') end

-- define: joined_given
left join stage on stage.id = given.stage_id

-- name: by_ids -> DealRow
-- $1 visible owner; $2 ids. An id of nothing, or of what may not be seen, has no row.
{by_ids};

-- name: whole -> WholeDealRow
-- $1 visible owner; $2 ids. A deal with the company and the contact that it is with, null where none may be seen: what
-- is shown of one deal, in one statement.
select (select whole from (select {columns}) as whole) as deal,
       (select whole from (select {company.columns}) as whole where company.id is not null) as company,
       (select whole from (select {contact.columns}) as whole where contact.id is not null) as contact
from {source}
left join company on company.id = deal.company_id and {company.live} and {company.visible}
left join contact on contact.id = deal.contact_id and {contact.live} and {contact.visible}
where deal.id = any($2::uuid[]) and {live} and {visible};

-- name: page_of_{scope}_by_{sort}_{way} -> DealRow
{sorts}
{ways}
{scopes}
{page};

-- name: page_with_{lookup}_by_{sort}_{way} -> DealRow
{sorts}
{ways}
{lookups}
{page};

-- name: page_of_company_by_{sort}_{way} -> DealRow
{ways}
-- with sort created_at: key = deal.created_at; {entered}; within = deal.company_id = wanted.id
{page};

-- name: first_of_company_{most} -> DealLine
-- with order newest: by = deal.created_at desc, deal.id desc; within = deal.company_id = wanted.id
{first};

-- name: search_by_{sort}_{way} -> DealRow
{sorts}
{ways}
{search};

-- name: search_by_{sort}_{way} -> DealRow
{ways}
{best};

-- name: count_of_{scope} -> CountRow
{scopes}
-- with scope company: within = deal.company_id = wanted.id
{count};

-- name: count_with_{lookup} -> CountRow
{lookups}
{count};

-- name: count_of_search -> CountRow
{count_of_answers};

-- name: create -> DealRow
{create};

-- name: locked -> DealRow
{locked};

-- name: update -> DealRow
{update};

-- name: delete -> DealRow
{delete};

-- name: restore -> DealRow
{restore};

-- name: remember -> KeyRow
{remember};

-- name: remembered -> DealRow
{remembered};

-- name: versions -> VersionRow
-- $1 visible owner; $2 ids. Of deals that are not deleted.
select deal.id, deal.version, deal.owner_id
from deal
where deal.id = any($2::uuid[]) and {live} and {visible}
for no key update;

-- name: move_many -> VersionRow
-- $1 visible owner; $2 ids; $3 the stage to move to. Deals that are there already are left alone.
update deal
set stage_id = $3::uuid,
    closed_at = case when (select is_won or is_lost from stage where stage.id = $3)
                then greatest(now(), deal.updated_at + interval '1 microsecond') end
where deal.id = any($2::uuid[]) and deal.stage_id <> $3 and {live} and {visible}
returning deal.id, deal.version, deal.owner_id;

-- name: assign_many -> VersionRow
-- $1 visible owner; $2 ids; $3 the new owner.
update deal
set owner_id = $3::uuid
where deal.id = any($2::uuid[]) and deal.owner_id <> $3 and {live} and {visible}
returning deal.id, deal.version, deal.owner_id;

-- name: price_many -> VersionRow
-- $1 visible owner; $2 ids; $3 the new value, null for an unknown one.
update deal
set value = $3::numeric
where deal.id = any($2::uuid[]) and deal.value is distinct from $3 and {live} and {visible}
returning deal.id, deal.version, deal.owner_id;

-- name: delete_many -> VersionRow
-- $1 visible owner; $2 ids; $3 unused.
update deal
set deleted_at = now()
where deal.id = any($2::uuid[]) and $3::text is null and {live} and {visible}
returning deal.id, deal.version, deal.owner_id;

-- name: restore_many -> VersionRow
-- $1 visible owner; $2 ids; $3 how long ago a deal may have been deleted.
update deal
set deleted_at = null
where deal.id = any($2::uuid[]) and deal.deleted_at > now() - $3::interval and {visible}
returning deal.id, deal.version, deal.owner_id;
