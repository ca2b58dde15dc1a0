-- Writing one row: what the files of tables that `use` this share. Besides what paging.sql tells of, each says what it
-- means by
--   written (the columns that are written), given (their values); where it is not the same, created (their values in a
--   new row) and changed (in a changed one), with joined_given (what those need).
--
-- $1 is the visible owner: what may not be seen may not be written. Each answers with the row, or with none where there
-- is none to write. A patch is a JSON object of columns; what it does not name stays as it is.

-- define: created
{given}

-- define: changed
{given}

-- define: joined_given

-- define: create
-- $2 the new row.
with written as (
    insert into {table} ({written})
    select {created}
    from jsonb_populate_record(null::{table}, $2::jsonb) as given {joined_given}
    where $1::uuid is null or given.owner_id = $1
    returning {table}.*
)
select {columns} from written as {table} {joined}

-- define: locked
-- $2 id. The row as it is now, and as it stays until the transaction ends. It is joined when it is held: a row that changes
-- while one waits for it is looked at again, but beside what it was joined to before, and a deal that moved would be lost.
with held as materialized (
    select {table}.*
    from {table}
    where {table}.id = $2::uuid and {live} and {visible}
    for update
)
select {columns} from held as {table} {joined}

-- define: update
-- $2 id; $3 the patch; $4 the only version that may be changed, null for any. A patch that says nothing new changes nothing.
with written as (
    update {table}
    set ({written}) = (select {changed} from jsonb_populate_record({table}, $3::jsonb) as given {joined_given})
    where {table}.id = $2::uuid and {live} and {visible} and ($4::int is null or {table}.version = $4)
      and exists (select from jsonb_populate_record({table}, $3::jsonb) as given where given.* is distinct from {table}.*)
    returning {table}.*
)
select {columns} from written as {table} {joined}

-- define: delete
-- $2 id; $3 the only version that may be deleted, null for any.
with written as (
    update {table} set deleted_at = now()
    where {table}.id = $2::uuid and {live} and {visible} and ($3::int is null or {table}.version = $3)
    returning {table}.*
)
select {columns} from written as {table} {joined}

-- define: restore
-- $2 id; $3 how long ago it may have been deleted.
with written as (
    update {table} set deleted_at = null
    where {table}.id = $2::uuid and {visible} and {table}.deleted_at > now() - $3::interval
    returning {table}.*
)
select {columns} from written as {table} {joined}

-- define: remember
-- $2 subject, $3 key, $4 id: the row as it is now is the answer to that key.
update idempotency_key
set answer = (select to_jsonb({table}) - 'search' from {table} where {table}.id = $4::uuid and {visible})
where subject = $2::text and key = $3::text
returning key

-- define: remembered
-- $2 subject, $3 key. The row as it was answered the first time.
select {columns}
from idempotency_key
cross join lateral jsonb_populate_record(null::{table}, idempotency_key.answer) as {table} {joined}
where idempotency_key.subject = $2::text and idempotency_key.key = $3::text and {visible}
