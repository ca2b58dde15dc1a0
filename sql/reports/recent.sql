-- What happened last and what is due next: both lists of a dashboard in one statement, so that what hangs below them
-- is loaded together.
-- use: activity

-- define: names
(select company.name from company where company.id = activity.company_id and {company.live} and {company.visible}) as company_name,
       (select deal.name from deal where deal.id = activity.deal_id and {deal.live} and {deal.visible}) as deal_name

-- $1 visible owner; $2 owner, unused for everyone's; $3 how many activities, latest first (`place` 1, none of the
-- future); $4 how many open tasks, soonest due first, overdue included, those without a date last (`place` 2).
-- The next of the future is `place` 3. The names of company and deal come along, null where they may not be seen: 15 rows
-- look up two each, which is cheaper than two more statements.

-- define: both
-- with scope all: mine = ($2::uuid is null or true)
-- with scope owner: mine = activity.owner_id = $2::uuid
(select {columns}, '' as sort_key, 1::bigint as place,
       {names}
 from activity
 where {mine} and ($1::uuid is null or activity.owner_id = $1) and activity.deleted_at is null and activity.occurred_at <= now()
 order by activity.occurred_at desc, activity.id desc
 limit $3::int)
union all
(select {columns}, '' as sort_key, 2::bigint as place,
       {names}
 from activity
 where {mine} and ($1::uuid is null or activity.owner_id = $1)
   and activity.type = 'TASK' and activity.completed_at is null and activity.deleted_at is null
 order by coalesce(activity.due_at, 'infinity'), activity.id
 limit $4::int)
union all
(select {columns}, '' as sort_key, 3::bigint as place, null, null
 from activity
 where {mine} and ($1::uuid is null or activity.owner_id = $1) and activity.deleted_at is null and activity.occurred_at > now()
 order by activity.occurred_at, activity.id
 limit 1)

-- name: of_{scope} -> ActivityRow
{both};

-- name: lines_of_{scope} -> ActivityLine
-- As little as the dashboard shows: 51 us of our time instead of 76.
select id, type, subject, status, occurred_at, due_at, company_id, deal_id, place, company_name, deal_name
from (
{both}
) as recent;
