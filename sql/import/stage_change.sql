-- The history of deals has no external ids: a change is known by its deal, its time and the stage it led to.

-- name: insert -> nothing
-- A change whose former stage the export does not tell comes from the stage of the change before it.
insert into stage_change (deal_id, from_stage_id, to_stage_id, changed_by, changed_at)
select distinct on (deal_id, changed_at, to_stage_id) deal_id, from_stage_id, to_stage_id, changed_by, changed_at
from (
    select deal_id, to_stage_id, changed_by, changed_at,
           coalesce(from_stage_id, lag(to_stage_id) over (partition by deal_id order by changed_at)) as from_stage_id
    from staged_stage_change
) as staged
where not exists (
    select from stage_change as kept
    where (kept.deal_id, kept.changed_at, kept.to_stage_id) = (staged.deal_id, staged.changed_at, staged.to_stage_id)
)
