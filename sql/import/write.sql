-- Texts of the statements that an import runs on a table and its staging table, put together from the catalogue: a
-- mapping fills any choice of columns, so the list of them is known only then. Names are quoted by PostgreSQL.
-- In all: $1 text the table; $2 text[] its columns that the mapping fills, external_id among them.

-- define: filled
select filled.place, quote_ident(filled.name) as name, filled.name = 'external_id' as is_key,
       attribute.attnotnull as is_kept, pg_get_expr(fallback.adbin, fallback.adrelid) as fallback
from unnest($2::text[]) with ordinality as filled (name, place)
join pg_attribute as attribute on attribute.attrelid = $1::text::regclass and attribute.attname = filled.name
left join pg_attrdef as fallback on (fallback.adrelid, fallback.adnum) = (attribute.attrelid, attribute.attnum)

-- name: staging -> TextRow
-- A table for the rows as they were converted, gone with the transaction.
select format(
    'drop table if exists pg_temp.%1$I; create temp table %1$I on commit drop as select %2$s from public.%3$I with no data',
    'staged_' || $1::text, string_agg(name, ', ' order by place), $1::text
) as text
from ({filled}) as filled

-- name: inserting -> TextRow
-- The text takes $1 text, the source. A blank takes the table's own default where there is one.
select format(
    'insert into %1$I (source, %2$s) select $1::text, %3$s from %4$I as staged '
    'on conflict (source, external_id) do nothing',
    $1::text,
    string_agg(name, ', ' order by place),
    string_agg(case when fallback is null then 'staged.' || name else format('coalesce(staged.%s, %s)', name, fallback) end,
               ', ' order by place),
    'staged_' || $1::text
) as text
from ({filled}) as filled

-- name: updating -> TextRow
-- The text takes $1 text, the source. It touches only rows that differ, so that updated_at says when something
-- changed; a blank in a column that may not be null keeps what is there. What the mapping does not fill stays as it is, but for
-- what cannot be beside what it fills: only a task is due or done, and a stage that is lost is not won.
select format(
    'update %1$I as kept set (%2$s) = row(%3$s) from %4$I as staged '
    'where kept.source = $1::text and kept.external_id = staged.external_id and row(%5$s) is distinct from row(%3$s)',
    $1::text,
    string_agg(name, ', ' order by place),
    string_agg(value, ', ' order by place),
    'staged_' || $1::text,
    string_agg('kept.' || name, ', ' order by place)
) as text
from (
    select place, name, case when is_kept then format('coalesce(staged.%1$s, kept.%1$s)', name) else 'staged.' || name end as value
    from ({filled}) as filled
    where not is_key
    union all
    select 1000 + place, name, value
    from (values
        (1, 'activity', 'type', 'due_at', 'case when staged.type = ''TASK'' then kept.due_at end'),
        (2, 'activity', 'type', 'completed_at', 'case when staged.type = ''TASK'' then kept.completed_at end'),
        (3, 'stage', 'is_lost', 'is_won', 'kept.is_won and not coalesce(staged.is_lost, kept.is_lost)'),
        (4, 'stage', 'is_won', 'is_lost', 'kept.is_lost and not coalesce(staged.is_won, kept.is_won)')
    ) as beside (place, of_table, filled, name, value)
    where of_table = $1::text and filled = any($2::text[]) and name <> all($2::text[])
) as written

-- name: emptying -> TextRow
select format('truncate %I', 'staged_' || $1::text) as text

-- name: analyzing -> TextRow
-- A bulk load would otherwise be planned by the statistics of an empty table until autovacuum comes by.
select 'analyze ' || concat_ws(', ', $1::text::regclass, to_regclass($1::text || '_words')) as text

-- name: bytes -> BytesRow
select pg_relation_size($1::text::regclass) as bytes

-- name: sourcing -> TextRow
-- $2 text the source, or null: what a row copied straight into the table has for a source.
select format('alter table %I alter column source set default %L', $1::text, $2::text) as text

-- name: defaults -> TextRow
-- The text tells what a blank is worth in each column that has a default, under the column's place from 0. No row, no default.
select format('select %s', string_agg(format('%s as %I', fallback, place - 1), ', ')) as text
from ({filled}) as filled
where fallback is not null
having count(*) > 0
