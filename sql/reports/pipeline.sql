-- The pipeline: deals counted and summed by stage. Read from the deal_totals indexes alone.

-- name: of_{scope} -> StageTotalsRow
-- $1 visible owner; $2 whose deals: owners, companies, or one null for everyone's. Stages without deals have no row.
-- `place` counts the entries of $2 from 1; values are of the deals whose value is known, `unpriced` counts the others.
-- with scope all: within = true
-- with scope owner: within = deal.owner_id = wanted.id
-- with scope company: within = deal.company_id = wanted.id
select wanted.place, totals.*
from unnest($2::uuid[]) with ordinality as wanted (id, place)
cross join lateral (
    select deal.stage_id, count(*) as deals, coalesce(sum(deal.value), 0)::float8 as value,
           coalesce(sum(deal.value * coalesce(deal.probability, stage.probability)::numeric), 0)::numeric(20, 2)::float8 as weighted_value,
           count(*) filter (where deal.value is null) as unpriced
    from deal
    join stage on stage.id = deal.stage_id
    where {within} and ($1::uuid is null or deal.owner_id = $1)
    group by deal.stage_id
) as totals;
