-- The pipeline: deals counted and summed by stage.
-- $1 visible owner; $2 whose deals: owners, companies, or one null for everyone's. Stages without deals have no row.
-- `place` counts the entries of $2 from 1; values are of the deals whose value is known, `unpriced` counts the others.
-- Few deals have a probability of their own: the values of the others are summed first and multiplied once.

-- define: weighted
(totals.own + totals.usual * stage.probability::numeric)::numeric(20, 2)::float8 as weighted_value

-- From the rollup. Everyone's deals, asked by one who sees their own alone, are those. The key of everyone's rows is no
-- owner: who asks for it as one gets nothing.

-- define: by_stage
select wanted.place, totals.stage_id, totals.deals::bigint as deals, totals.value::float8 as value, {weighted},
       totals.unpriced::bigint as unpriced
from {wanted}
cross join lateral (
    select stage_id, sum(deals) as deals, sum(value) as value, sum(unpriced) as unpriced, sum(usual) as usual,
           sum(own) as own
    from owner_deals
    where owner_id = {whose} and ($1::uuid is null or owner_id = $1)
    group by stage_id
    having sum(deals) > 0
) as totals
join stage on stage.id = totals.stage_id

-- name: of_{scope} -> StageTotalsRow
-- with scope all: whose = coalesce($1::uuid, everyone())
-- with scope owner: whose = nullif(wanted.id, everyone())
-- with ids several: wanted = unnest($2::uuid[]) with ordinality as wanted (id, place)
{by_stage};

-- name: of_company -> StageTotalsRow
-- From the deals themselves: a company has few.
select wanted.place, totals.stage_id, totals.deals, totals.value::float8 as value, {weighted}, totals.unpriced
from unnest($2::uuid[]) with ordinality as wanted (id, place)
cross join lateral (
    select deal.stage_id, count(*) as deals, coalesce(sum(deal.value), 0) as value,
           count(*) - count(deal.value) as unpriced,
           coalesce(sum(deal.value) filter (where deal.probability is null), 0) as usual,
           coalesce(sum(deal.value * deal.probability::numeric), 0) as own
    from deal
    where deal.company_id = wanted.id and deal.deleted_at is null and ($1::uuid is null or deal.owner_id = $1)
    group by deal.stage_id
) as totals
join stage on stage.id = totals.stage_id;
