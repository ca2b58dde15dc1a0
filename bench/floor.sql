-- The floor: each scenario as one statement that builds the whole answer. $1 is the key; the answer is UTF-8 bytes.
--
-- What a person would write who needs exactly this JSON and nothing else: no visible owner, no cursor (as many
-- letters stand for it), no other order or page. It reads the rollups, as the server does.

-- define: ten_companies
with page as materialized (
    select id, name, row_number() over (order by lower(name) collate "C", id) as place
    from company
    where owner_id = $1::uuid and deleted_at is null
    order by lower(name) collate "C", id
    limit 11
)
select json_build_object(
    'edges', coalesce(json_agg(json_build_object('node', json_build_object(
        'id', page.id,
        'name', page.name,
        'contactCount', (select coalesce(sum(contacts), 0) from company_contacts where company_id = page.id),
        'dealsValue', (select coalesce(sum(value), 0) from company_deals where company_id = page.id),
        'deals', latest.deals
    )) order by page.place) filter (where page.place <= 10), '[]'),
    'pageInfo', json_build_object(
        'hasNextPage', count(*) > 10,
        'endCursor', case when count(*) > 0 then repeat('x', 110) end
    )
)
from page
cross join lateral (
    select coalesce(json_agg(json_build_object(
        'id', deal.id, 'name', deal.name, 'value', deal.value,
        'stage', json_build_object('name', stage.name, 'color', stage.color)
    ) order by deal.created_at desc, deal.id desc), '[]') as deals
    from (
        select id, name, value, stage_id, created_at
        from deal
        where deal.company_id = page.id and deal.deleted_at is null
        order by created_at desc, id desc
        limit 5
    ) as deal
    join stage on stage.id = deal.stage_id
) as latest

-- define: whole_dashboard
with counted as materialized (
    select stage_id, sum(deals) as deals, sum(value) as value, sum(usual) as usual, sum(own) as own
    from owner_deals
    where owner_id = $1::uuid
    group by stage_id
), pipeline as materialized (
    select stage.id, stage.name, stage.color, stage.position, stage.is_won, stage.is_lost,
           coalesce(deals, 0) as deals, coalesce(value, 0) as value,
           (coalesce(own, 0) + coalesce(usual, 0) * probability::numeric)::numeric(20, 2) as weighted
    from stage
    left join counted on counted.stage_id = stage.id
)
select json_build_object(
    'overview', json_build_object(
        'deals', (
            select json_build_object(
                'total', sum(deals),
                'pipelineValue', coalesce(sum(value) filter (where not is_won and not is_lost), 0),
                'wonValue', coalesce(sum(value) filter (where is_won), 0),
                'winRate', sum(deals) filter (where is_won)
                    / nullif((sum(deals) filter (where is_won or is_lost))::float8, 0))
            from pipeline),
        'activities', (
            select json_build_object(
                'today', coalesce(sum(activities) filter (where hour >= date_trunc('day', now(), 'UTC')
                    and hour < date_trunc('day', now(), 'UTC') + interval '1 day'), 0),
                'thisWeek', coalesce(sum(activities), 0))
            from owner_activities
            where owner_id = $1
              and hour >= date_trunc('week', now(), 'UTC')
              and hour < date_trunc('week', now(), 'UTC') + interval '7 days'),
        'companies', (
            select json_build_object('total', coalesce(sum(companies), 0), 'withDeals', coalesce(sum(with_deals), 0))
            from owner_companies
            where owner_id = $1)
    ),
    'pipeline', (
        select json_agg(json_build_object(
            'stage', json_build_object('id', id, 'name', name, 'color', color),
            'count', deals, 'value', value, 'weightedValue', weighted,
            'share', coalesce(deals / nullif((select sum(deals) from pipeline)::float8, 0), 0)
        ) order by position, id)
        from pipeline),
    'recent', json_build_object(
        'activities', (
            select coalesce(json_agg(json_build_object(
                'id', latest.id, 'type', latest.type, 'subject', latest.subject, 'occurredAt', latest.occurred_at,
                'company', case when company.id is not null then json_build_object('id', company.id, 'name', company.name) end,
                'deal', case when deal.id is not null then json_build_object('id', deal.id, 'name', deal.name) end
            ) order by latest.occurred_at desc, latest.id desc), '[]')
            from (
                select id, type, subject, occurred_at, company_id, deal_id
                from activity
                where owner_id = $1 and deleted_at is null and occurred_at <= now()
                order by occurred_at desc, id desc
                limit 10
            ) as latest
            left join company on company.id = latest.company_id
            left join deal on deal.id = latest.deal_id),
        'tasks', (
            select coalesce(json_agg(json_build_object(
                'id', task.id, 'subject', task.subject, 'dueAt', task.due_at,
                'company', case when company.id is not null then json_build_object('id', company.id, 'name', company.name) end
            ) order by task.due_key, task.id), '[]')
            from (
                select id, subject, due_at, company_id, coalesce(due_at, 'infinity') as due_key
                from activity
                where owner_id = $1 and type = 'TASK' and completed_at is null and deleted_at is null
                order by coalesce(due_at, 'infinity'), id
                limit 5
            ) as task
            left join company on company.id = task.company_id)
    ),
    'generatedAt', now()
)

-- name: seed -> bytes
select convert_to(json_build_object('data', json_build_object('companies', ({ten_companies})))::text, 'UTF8');

-- name: dashboard -> bytes
select convert_to(json_build_object('data', json_build_object('dashboard', ({whole_dashboard})))::text, 'UTF8');

-- name: full -> bytes
select convert_to(json_build_object('data', json_build_object(
    'dashboard', ({whole_dashboard}), 'companies', ({ten_companies})
))::text, 'UTF8');

-- name: deal -> bytes
select convert_to(json_build_object('data', json_build_object('deal', json_build_object(
    'id', deal.id,
    'name', deal.name,
    'value', deal.value,
    'status', case when stage.is_won then 'WON' when stage.is_lost then 'LOST' else 'OPEN' end,
    'probability', coalesce(deal.probability, stage.probability),
    'expectedCloseDate', deal.expected_close_date,
    'createdAt', deal.created_at,
    'company', case when company.id is not null
        then json_build_object('id', company.id, 'name', company.name, 'domain', company.domain) end,
    'contact', case when contact.id is not null
        then json_build_object('id', contact.id, 'fullName', contact.full_name, 'email', contact.email) end,
    'stage', json_build_object('id', stage.id, 'name', stage.name, 'color', stage.color),
    'owner', json_build_object('id', app_user.id, 'name', app_user.name)
)))::text, 'UTF8')
from deal
join stage on stage.id = deal.stage_id
join app_user on app_user.id = deal.owner_id
left join company on company.id = deal.company_id
left join contact on contact.id = deal.contact_id
where deal.id = $1::uuid and deal.deleted_at is null;

-- name: companies -> bytes
with page as materialized (
    select id, name, industry, revenue, row_number() over (order by lower(name) collate "C", id) as place
    from company
    where owner_id = $1::uuid and deleted_at is null
    order by lower(name) collate "C", id
    limit 51
)
select convert_to(json_build_object('data', json_build_object('companies', json_build_object(
    'edges', coalesce(json_agg(json_build_object('node', json_build_object(
        'id', page.id, 'name', page.name, 'industry', page.industry, 'revenue', page.revenue,
        'deals', latest.deals, 'contacts', people.contacts
    )) order by page.place) filter (where page.place <= 50), '[]'),
    'pageInfo', json_build_object(
        'hasNextPage', count(*) > 50,
        'endCursor', case when count(*) > 0 then repeat('x', 110) end
    )
)))::text, 'UTF8')
from page
cross join lateral (
    select coalesce(json_agg(json_build_object(
        'id', deal.id, 'name', deal.name, 'value', deal.value,
        'stage', json_build_object('name', stage.name, 'color', stage.color)
    ) order by deal.created_at desc, deal.id desc), '[]') as deals
    from (
        select id, name, value, stage_id, created_at
        from deal
        where deal.company_id = page.id and deal.deleted_at is null
        order by created_at desc, id desc
        limit 5
    ) as deal
    join stage on stage.id = deal.stage_id
) as latest
cross join lateral (
    select coalesce(json_agg(json_build_object(
        'id', id, 'fullName', full_name, 'email', email, 'title', title
    ) order by lower(full_name) collate "C", id), '[]') as contacts
    from (
        select id, full_name, email, title
        from contact
        where contact.company_id = page.id and contact.deleted_at is null
        order by lower(full_name) collate "C", id
        limit 5
    ) as first_five
) as people;
