-- A CRM of any size made by PostgreSQL itself, in minutes: as many activities as deals, a tenth as many companies, all spread
-- evenly over the owners. Ids are hashes of numbers, so that rows lie in no order of theirs. Triggers are off meanwhile.

-- name: begin -> nothing
set synchronous_commit = off;
set maintenance_work_mem = '512MB';

-- name: people -> nothing
-- %d owners.
insert into app_user (id, name) select md5('u' || n)::uuid, 'Owner ' || n from generate_series(1, %d) as n;
insert into stage (id, name, position, probability, is_won, is_lost)
select md5('s' || n)::uuid, 'Stage ' || n, n, n / 10.0, n = 5, n = 6 from generate_series(1, 6) as n;

-- name: company -> nothing
-- %d owners; %d companies.
insert into company (id, name, owner_id, created_at)
select md5('c' || n)::uuid, 'Company ' || n, md5('u' || 1 + n %% %d)::uuid, now() - n * interval '1 minute'
from generate_series(1, %d) as n;

-- name: deal -> nothing
-- %d owners; %d companies; %d deals.
insert into deal (id, name, value, stage_id, company_id, owner_id, created_at)
select md5('d' || n)::uuid, 'Deal ' || n, n %% 10000, md5('s' || 1 + n %% 6)::uuid, md5('c' || 1 + n %% companies)::uuid,
       md5('u' || 1 + (1 + n %% companies) %% owners)::uuid, now() - n * interval '10 seconds'
from (select %d as owners, %d as companies) as size, generate_series(1, %d) as n;

-- name: activity -> nothing
-- %d owners; %d companies; %d activities.
insert into activity (id, type, subject, company_id, deal_id, owner_id, occurred_at, due_at)
select md5('a' || n)::uuid, case when n %% 5 = 0 then 'TASK' else 'NOTE' end, 'Activity ' || n,
       md5('c' || 1 + n %% companies)::uuid, md5('d' || n)::uuid, md5('u' || 1 + (1 + n %% companies) %% owners)::uuid,
       now() - n * interval '10 seconds', case when n %% 5 = 0 then now() + n * interval '1 second' end
from (select %d as owners, %d as companies) as size, generate_series(1, %d) as n;

-- name: end -> nothing
select recount_rollups();

-- name: owners -> Ids
-- Some of them.
select array_agg(id::text) as ids from (select id from app_user order by id limit 7) as owners;
