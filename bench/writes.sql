-- What writes cost: a single deal, and 5,000 moved at once; with all triggers, without those of the rollups, with none.
-- These happen in transactions that are rolled back.

-- name: keep -> nothing
-- Any 5,000 deals as they are, spread over the table as those that a person selects are.
create temp table kept as
    select id, stage_id, owner_id, company_id, value, closed_at
    from deal where deleted_at is null order by md5(id::text) limit 5000;

-- name: some -> Ids
select array_agg(id) as deals, array_agg(distinct owner_id) as owners, min(owner_id::text)::uuid as owner_id,
       min(company_id::text)::uuid as company_id
from kept;

-- name: put_back -> nothing
update deal set stage_id = kept.stage_id, owner_id = kept.owner_id, value = kept.value, closed_at = kept.closed_at
from kept where kept.id = deal.id;

-- name: stages -> Ids
select array_agg(id order by position) as stages from stage;

-- name: create_one -> nothing
-- $1 stage; $2 company; $3 owner.
insert into deal (name, value, stage_id, company_id, owner_id) values ('Measured', 1250.5, $1, $2, $3);

-- name: move_all -> nothing
-- $1 stage; $2 deals.
update deal set stage_id = $1, closed_at = null where id = any($2::uuid[]) and stage_id <> $1;

-- name: without_none -> nothing
select;

-- name: without_rollups -> nothing
alter table deal disable trigger deal_insert_counted;
alter table deal disable trigger deal_update_counted;

-- name: without_any -> nothing
alter table deal disable trigger user;
