-- The history of deals has no external ids: a change is known by its deal, its time and the stage it led to.

-- name: insert -> nothing
-- A change whose former stage the export does not tell comes from the stage of the change before it, whether that is new
-- too or was there already; one that was there and had none before it gets its former stage now.
with change as (
    select distinct on (deal_id, changed_at, to_stage_id) id, deal_id, from_stage_id, to_stage_id, changed_by, changed_at
    from (
        select null::uuid as id, deal_id, from_stage_id, to_stage_id, changed_by, changed_at
        from staged_stage_change
        union all
        select id, deal_id, from_stage_id, to_stage_id, changed_by, changed_at
        from stage_change
        where deal_id in (select deal_id from staged_stage_change)
    ) as every
    order by deal_id, changed_at, to_stage_id, id nulls last
), told as (
    select id, deal_id, to_stage_id, changed_by, changed_at,
           coalesce(from_stage_id, lag(to_stage_id) over (partition by deal_id order by changed_at, to_stage_id)) as from_stage_id
    from change
), filled as (
    update stage_change as kept
    set from_stage_id = told.from_stage_id
    from told
    where kept.id = told.id and kept.from_stage_id is null and told.from_stage_id is not null
)
insert into stage_change (deal_id, from_stage_id, to_stage_id, changed_by, changed_at)
select deal_id, from_stage_id, to_stage_id, changed_by, changed_at
from told
where id is null
