-- Companies: the organisations we sell to.
-- use: paging
-- use: writing

-- define: table
company

-- define: columns
company.id, company.name, company.domain, company.website, company.industry, company.size,
       company.revenue::float8 as revenue, company.location, company.owner_id, company.external_id,
       company.created_at, company.updated_at, company.version

-- define: live
company.deleted_at is null

-- define: visible
($1::uuid is null or company.owner_id = $1)

-- define: matches
($8::text[] is null or company.industry = any($8))
      and ($9::text[] is null or company.size = any($9))
      and ($10::text[] is null or company.location = any($10))
      and ($11::text is null or lower(company.domain) = lower($11))
      and ($12::numeric is null or company.revenue >= $12)
      and ($13::numeric is null or company.revenue <= $13)
      and ($14::timestamptz is null or company.created_at >= $14)
      and ($15::timestamptz is null or company.created_at < $15)

-- define: asked
$16::text

-- define: words
company.search

-- define: title
fold(company.name)

-- define: owned
(wanted.id is null or company.owner_id = wanted.id)

-- define: entered
type = timestamptz; lowest = coalesce($14::timestamptz, '-infinity'); highest = coalesce($15::timestamptz, 'infinity')

-- define: least
coalesce($12::numeric, case when $13::numeric is null then '-infinity'::numeric else 0 end)

-- define: earning
type = numeric; lowest = {least}; highest = coalesce($13::numeric, 'infinity')

-- define: sorts
-- with sort name: key = (lower(company.name) collate "C"); {texts}
-- with sort created_at: key = company.created_at; {entered}
-- with sort revenue: key = coalesce(company.revenue, -1); {earning}

-- define: lookups
-- with lookup domain: within = lower(company.domain) = lower($11::text) and {owned}

-- define: written
name, domain, website, industry, size, revenue, location, owner_id

-- define: given
given.name, given.domain, given.website, given.industry, given.size, given.revenue, given.location,
       given.owner_id

-- What is counted about each company of a page, from the rollups; zeros where there is nothing.

-- define: totals
cross join lateral (
    select coalesce(sum(contacts), 0)::bigint as contacts
    from company_contacts
    where company_id = page.id and ($1::uuid is null or owner_id = $1)
) as contacts
cross join lateral (
    select coalesce(sum(deals), 0)::bigint as deals, coalesce(sum(value), 0)::float8 as deals_value,
           coalesce(sum(unpriced), 0)::bigint as unpriced
    from company_deals
    where company_id = page.id and ($1::uuid is null or owner_id = $1)
) as deals

-- A page, and the totals of its companies along with it.

-- define: counted
select page.*, wanted.place, contacts.contacts, deals.deals, deals.deals_value, deals.unpriced
from {pages}
{totals}
order by wanted.place

-- name: by_ids -> CompanyRow
-- $1 visible owner; $2 ids. An id of nothing, or of what may not be seen, has no row.
{by_ids};

-- name: page_of_{scope}_by_{sort}_{way} -> CompanyRow
{sorts}
{ways}
{scopes}
{page};

-- name: page_with_{lookup}_by_{sort}_{way} -> CompanyRow
{sorts}
{ways}
{lookups}
{page};

-- name: counted_page_of_{scope}_by_{sort}_{way} -> CountedCompanyRow
{sorts}
{ways}
{scopes}
{counted};

-- name: counted_page_with_{lookup}_by_{sort}_{way} -> CountedCompanyRow
{sorts}
{ways}
{lookups}
{counted};

-- name: search_by_{sort}_{way} -> CompanyRow
{sorts}
{ways}
{search};

-- name: search_by_{sort}_{way} -> CompanyRow
{ways}
{best};

-- name: count_of_{scope} -> CountRow
{scopes}
{count};

-- name: count_with_{lookup} -> CountRow
{lookups}
{count};

-- name: count_of_search -> CountRow
{count_of_answers};

-- name: totals -> CompanyTotalsRow
-- $1 visible owner; $2 ids.
select page.id as company_id, contacts.contacts, deals.deals, deals.deals_value, deals.unpriced
from unnest($2::uuid[]) as page (id)
{totals};

-- name: create -> CompanyRow
{create};

-- name: locked -> CompanyRow
{locked};

-- name: update -> CompanyRow
{update};

-- name: delete -> CompanyRow
{delete};

-- name: restore -> CompanyRow
{restore};

-- name: remember -> KeyRow
{remember};

-- name: remembered -> CompanyRow
{remembered};
