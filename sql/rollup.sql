-- Rollups: what a dashboard counts, kept by triggers; sql/migrations/0002_writes.sql says how.

-- name: fold -> FoldedRow
-- Adds the deltas to the rollups, unless another process is at it.
select fold_rollups() as folded;

-- name: sweep -> nothing
-- Takes folded deltas out of the files, where readers would have to step over them. Not in a transaction.
vacuum (skip_locked, analyze) owner_deals_delta, company_deals_delta, company_contacts_delta,
    owner_activities_delta, company_delta;

-- name: drift -> DriftRow
-- What does not equal a count of the rows, a hundred keys at most; `found` is how many there are.
select rollup, key, count(*) over () as found
from rollup_drift
order by rollup, key
limit 100;

-- name: recount -> nothing
-- What was kept of wrong figures is told to be out of date.
select recount_rollups(), recount_words(), announce(plurals, plurals)
from (values ('companies contacts deals activities')) as told (plurals);
