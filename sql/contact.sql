-- Contacts: the people at the companies.
-- use: paging
-- use: writing

-- define: table
contact

-- define: columns
contact.id, contact.first_name, contact.last_name, contact.full_name, contact.email, contact.phone, contact.title,
       contact.role, contact.company_id, contact.owner_id, contact.external_id, contact.created_at, contact.updated_at, contact.version

-- What a list below a company shows of a contact; see the deals' line.

-- define: line
contact.id, contact.first_name, contact.last_name, contact.full_name, contact.email, contact.phone, contact.title, contact.role

-- define: live
contact.deleted_at is null

-- define: visible
($1::uuid is null or contact.owner_id = $1)

-- define: matches
($8::uuid is null or contact.company_id = $8)
      and ($9::text[] is null or contact.role = any($9))
      and ($10::text is null or lower(contact.email) = lower($10))
      and ($11::boolean is null or (contact.email is not null) = $11)
      and ($12::timestamptz is null or contact.created_at >= $12)
      and ($13::timestamptz is null or contact.created_at < $13)

-- define: asked
$14::text

-- define: words
contact.search

-- define: title
fold(contact.full_name)

-- define: owned
(wanted.id is null or contact.owner_id = wanted.id)

-- define: entered
type = timestamptz; lowest = coalesce($12::timestamptz, '-infinity'); highest = coalesce($13::timestamptz, 'infinity')

-- define: sorts
-- with sort name: key = (lower(contact.full_name) collate "C"); {texts}
-- with sort created_at: key = contact.created_at; {entered}

-- define: lookups
-- with lookup email: within = lower(contact.email) = lower($10::text) and {owned}
-- with lookup company: within = contact.company_id = $8 and {owned}

-- define: written
first_name, last_name, email, phone, title, role, company_id, owner_id

-- define: given
given.first_name, given.last_name, given.email, given.phone, given.title, given.role, given.company_id,
       given.owner_id

-- name: by_ids -> ContactRow
-- $1 visible owner; $2 ids. An id of nothing, or of what may not be seen, has no row.
{by_ids};

-- name: page_of_{scope}_by_{sort}_{way} -> ContactRow
{sorts}
{ways}
{scopes}
{page};

-- name: page_with_{lookup}_by_{sort}_{way} -> ContactRow
{sorts}
{ways}
{lookups}
{page};

-- name: page_of_company_by_{sort}_{way} -> ContactRow
{ways}
-- with sort name: key = (lower(contact.full_name) collate "C"); {texts}; within = contact.company_id = wanted.id
{page};

-- name: first_of_company_{most} -> ContactLine
-- with order name: by = (lower(contact.full_name) collate "C"), contact.id; within = contact.company_id = wanted.id
{first};

-- name: search_by_{sort}_{way} -> ContactRow
{sorts}
{ways}
{search};

-- name: search_by_{sort}_{way} -> ContactRow
{ways}
{best};

-- name: count_of_{scope} -> CountRow
{scopes}
-- with scope company: within = contact.company_id = wanted.id
{count};

-- name: count_with_{lookup} -> CountRow
{lookups}
{count};

-- name: count_of_search -> CountRow
{count_of_answers};

-- name: create -> ContactRow
{create};

-- name: locked -> ContactRow
{locked};

-- name: update -> ContactRow
{update};

-- name: delete -> ContactRow
{delete};

-- name: restore -> ContactRow
{restore};

-- name: remember -> KeyRow
{remember};

-- name: remembered -> ContactRow
{remembered};
