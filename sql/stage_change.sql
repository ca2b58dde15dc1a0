-- Stage changes: which stage a deal moved to, when, and by whom.

-- name: of_deals -> StageChangeRow
-- $1 visible owner; $2 deal ids. The first 100 of each deal, oldest first.
select change.*
from unnest($2::uuid[]) as wanted (id)
cross join lateral (
    select stage_change.id, stage_change.deal_id, stage_change.from_stage_id, stage_change.to_stage_id,
           stage_change.changed_by, stage_change.changed_at
    from stage_change
    join deal on deal.id = stage_change.deal_id
    where stage_change.deal_id = wanted.id and deal.deleted_at is null and ($1::uuid is null or deal.owner_id = $1)
    order by stage_change.changed_at, stage_change.id
    limit 100
) as change;
