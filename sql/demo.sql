-- The demo data: what is there, what to remove, what to put in. Its rows have the source 'demo'.

-- name: lock -> nothing
-- One load or removal at a time, and no import beside it; the number is any that nobody else uses. The other number keeps
-- who folds the rollups from tables that are locked (0007_loads.sql). The audit tells it by its number of rows.
select pg_advisory_xact_lock(1684369775), pg_advisory_xact_lock(1685418093),
       set_config('dealgraph.actor', 'demo', true), set_config('dealgraph.loading', 'on', true);

-- name: has_companies -> HasCompanies
-- Whether there is a company of any source.
select exists (select from company) as has_companies;

-- name: count_rows -> DemoReport
-- How many rows of each table the demo data has.
select
    (select count(*) from app_user where source = 'demo') as users,
    (select count(*) from company where source = 'demo') as companies,
    (select count(*) from contact where source = 'demo') as contacts,
    (select count(*) from deal where source = 'demo') as deals,
    (select count(*) from activity where source = 'demo') as activities;

-- name: rows_in_the_way -> RowsInTheWay
-- How many contacts, deals and activities that are not demo data belong to companies, contacts or deals that are. What is
-- deleted is in nobody's way: it loses the reference, as when such a row is purged.
select
    (select count(*)
     from contact as mine
     where mine.source is distinct from 'demo' and mine.deleted_at is null
       and exists (select from company as theirs where theirs.id = mine.company_id and theirs.source = 'demo')
    ) as contacts,
    (select count(*)
     from deal as mine
     where mine.source is distinct from 'demo' and mine.deleted_at is null
       and (exists (select from company as theirs where theirs.id = mine.company_id and theirs.source = 'demo')
            or exists (select from contact as theirs where theirs.id = mine.contact_id and theirs.source = 'demo'))
    ) as deals,
    (select count(*)
     from activity as mine
     where mine.source is distinct from 'demo' and mine.deleted_at is null
       and (exists (select from company as theirs where theirs.id = mine.company_id and theirs.source = 'demo')
            or exists (select from contact as theirs where theirs.id = mine.contact_id and theirs.source = 'demo')
            or exists (select from deal as theirs where theirs.id = mine.deal_id and theirs.source = 'demo'))
    ) as activities;

-- name: remove -> nothing
-- Removes the demo rows; users and stages only where no other row needs them. Deleted rows of yours lose the reference.
update activity
set company_id = (select company.id from company where company.id = activity.company_id and company.source is distinct from 'demo'),
    contact_id = (select contact.id from contact where contact.id = activity.contact_id and contact.source is distinct from 'demo'),
    deal_id = (select deal.id from deal where deal.id = activity.deal_id and deal.source is distinct from 'demo')
where activity.deleted_at is not null and activity.source is distinct from 'demo'
  and (exists (select from company where company.id = activity.company_id and company.source = 'demo')
       or exists (select from contact where contact.id = activity.contact_id and contact.source = 'demo')
       or exists (select from deal where deal.id = activity.deal_id and deal.source = 'demo'));
update deal
set company_id = (select company.id from company where company.id = deal.company_id and company.source is distinct from 'demo'),
    contact_id = (select contact.id from contact where contact.id = deal.contact_id and contact.source is distinct from 'demo')
where deal.deleted_at is not null and deal.source is distinct from 'demo'
  and (exists (select from company where company.id = deal.company_id and company.source = 'demo')
       or exists (select from contact where contact.id = deal.contact_id and contact.source = 'demo'));
update contact
set company_id = (select company.id from company where company.id = contact.company_id and company.source is distinct from 'demo')
where contact.deleted_at is not null and contact.source is distinct from 'demo'
  and (exists (select from company where company.id = contact.company_id and company.source = 'demo'));
delete from activity where source = 'demo';
delete from deal where source = 'demo';
delete from contact where source = 'demo';
delete from company where source = 'demo';
delete from stage
where source = 'demo'
  and not exists (select from deal where deal.stage_id = stage.id)
  and not exists (select from stage_change where stage.id in (stage_change.from_stage_id, stage_change.to_stage_id));
delete from app_user
where source = 'demo'
  and not exists (select from company where company.owner_id = app_user.id)
  and not exists (select from contact where contact.owner_id = app_user.id)
  and not exists (select from deal where deal.owner_id = app_user.id)
  and not exists (select from activity where activity.owner_id = app_user.id)
  and not exists (select from stage_change where stage_change.changed_by = app_user.id);

-- name: put_user -> nothing
-- $1 id, $2 name, $3 e-mail, $4 source, $5 external id, $6 time.
insert into app_user (id, name, email, source, external_id, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $6)
on conflict (source, external_id) do update set name = excluded.name, email = excluded.email;

-- name: put_stage -> nothing
-- $1 id, $2 name, $3 color, $4 position, $5 probability, $6 won, $7 lost, $8 source, $9 external id, $10 time.
insert into stage (
    id, name, color, position, probability, is_won, is_lost, source, external_id, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
on conflict (source, external_id) do nothing;

-- name: settle -> nothing
-- Statistics for the planner, and the visibility map that lets sums be read from indexes alone. Not in a transaction.
vacuum (analyze) app_user, stage, company, contact, deal, deal_words, stage_change, activity, owner_deals_delta,
    company_deals_delta, company_contacts_delta, owner_activities_delta, company_delta, owner_deals_rollup,
    company_deals_rollup, company_contacts_rollup, owner_activities_rollup, owner_companies_rollup, company_rollup;
