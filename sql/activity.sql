-- Activities: calls, e-mails, meetings, notes and tasks. A task is open until it has been completed.
-- use: paging
-- use: writing

-- define: table
activity

-- define: columns
activity.id, activity.type, activity.subject, activity.body,
       case when activity.type = 'TASK' and activity.completed_at is null then 'OPEN' else 'COMPLETED' end as status,
       activity.occurred_at, activity.due_at, activity.completed_at, activity.company_id, activity.deal_id,
       activity.contact_id, activity.owner_id, activity.external_id, activity.created_at, activity.updated_at, activity.version

-- define: live
activity.deleted_at is null

-- define: visible
($1::uuid is null or activity.owner_id = $1)

-- define: matches
($8::text[] is null or activity.type = any($8))
      and ($9::text is null or ($9 = 'OPEN') = (activity.type = 'TASK' and activity.completed_at is null))
      and ($10::uuid is null or activity.company_id = $10)
      and ($11::uuid is null or activity.deal_id = $11)
      and ($12::uuid is null or activity.contact_id = $12)
      and ($13::timestamptz is null or activity.occurred_at >= $13)
      and ($14::timestamptz is null or activity.occurred_at < $14)
      and ($15::timestamptz is null or activity.due_at >= $15)
      and ($16::timestamptz is null or activity.due_at < $16)

-- define: asked
$17::text

-- define: words
to_tsvector('simple', fold(activity.subject || ' ' || coalesce(activity.body, '')))

-- define: title
fold(activity.subject)

-- define: recent
activity.occurred_at

-- define: owned
(wanted.id is null or activity.owner_id = wanted.id)

-- define: occurred
type = timestamptz; lowest = coalesce($13::timestamptz, '-infinity'); highest = coalesce($14::timestamptz, 'infinity')

-- define: last_due
coalesce($16::timestamptz, case when $15::timestamptz is null then 'infinity'::timestamptz else '294276-12-31' end)

-- define: due
type = timestamptz; lowest = coalesce($15::timestamptz, '-infinity'); highest = {last_due}

-- define: sorts
-- with sort occurred_at: key = activity.occurred_at; {occurred}
-- with sort due_at: key = coalesce(activity.due_at, 'infinity'); {due}

-- define: lookups
-- with lookup deal: within = activity.deal_id = $11 and {owned}
-- with lookup contact: within = activity.contact_id = $12 and {owned}
-- with lookup company: within = activity.company_id = $10 and {owned}

-- define: written
type, subject, body, occurred_at, due_at, completed_at, company_id, deal_id, contact_id, owner_id

-- define: given
given.type, given.subject, given.body, given.occurred_at, given.due_at, given.completed_at, given.company_id,
       given.deal_id, given.contact_id, given.owner_id

-- name: by_ids -> ActivityRow
-- $1 visible owner; $2 ids. An id of nothing, or of what may not be seen, has no row.
{by_ids};

-- name: page_of_{scope}_by_{sort}_{way} -> ActivityRow
{sorts}
{ways}
{scopes}
{page};

-- name: page_with_{lookup}_by_{sort}_{way} -> ActivityRow
{sorts}
{ways}
{lookups}
{page};

-- name: page_of_company_by_{sort}_{way} -> ActivityRow
{ways}
-- with sort occurred_at: key = activity.occurred_at; {occurred}; within = activity.company_id = wanted.id
{page};

-- name: page_of_deal_by_{sort}_{way} -> ActivityRow
{ways}
-- with sort occurred_at: key = activity.occurred_at; {occurred}; within = activity.deal_id = wanted.id
{page};

-- name: page_of_contact_by_{sort}_{way} -> ActivityRow
{ways}
-- with sort occurred_at: key = activity.occurred_at; {occurred}; within = activity.contact_id = wanted.id
{page};

-- name: search_by_{sort}_{way} -> ActivityRow
{sorts}
{ways}
{search};

-- name: search_by_{sort}_{way} -> ActivityRow
{ways}
{best};

-- name: count_of_{scope} -> CountRow
{scopes}
-- with scope company: within = activity.company_id = wanted.id
-- with scope deal: within = activity.deal_id = wanted.id
-- with scope contact: within = activity.contact_id = wanted.id
{count};

-- name: count_with_{lookup} -> CountRow
{lookups}
{count};

-- name: count_of_search -> CountRow
{count_of_answers};

-- name: create -> ActivityRow
{create};

-- name: locked -> ActivityRow
{locked};

-- name: update -> ActivityRow
{update};

-- name: delete -> ActivityRow
{delete};

-- name: restore -> ActivityRow
{restore};

-- name: remember -> KeyRow
{remember};

-- name: remembered -> ActivityRow
{remembered};
