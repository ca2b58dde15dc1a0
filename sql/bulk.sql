-- What a bulk load does without and makes again at its end; see jobs/bulk.py.

-- name: secondary -> SecondaryRow
-- $1 table, $2 whether the key of a source's rows as well. Its indexes that hold up no constraint, and those of its words, then
-- its foreign keys and that key, each as the statement that takes it away and the one that makes it again, as PostgreSQL itself
-- writes it.
select taking, making
from (
    select 1 as place, indexrelid as id, format('drop index %s', indexrelid::regclass) as taking,
           pg_get_indexdef(indexrelid) as making
    from pg_index
    where indrelid in ($1::text::regclass, to_regclass($1::text || '_words')) and not indisunique
    union all
    select 2, oid, format('alter table %I drop constraint %I', $1::text, conname),
           format('alter table %I add constraint %I %s', $1::text, conname, pg_get_constraintdef(oid))
    from pg_constraint
    where conrelid = $1::text::regclass and (contype = 'f' or contype = 'u' and $2)
) as secondary
order by place, id;
