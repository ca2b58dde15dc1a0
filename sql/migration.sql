-- Migrations: which files of sql/migrations the database has.

-- name: lock -> nothing
-- $1 the number of the lock, which is let go with the session.
select pg_advisory_lock($1);

-- name: make_table -> nothing
create table if not exists migration (
    name text primary key, digest text not null, applied_at timestamptz not null default now()
);

-- name: applied -> MigrationRow
select name, digest from migration;

-- name: record -> nothing
-- $1 name; $2 digest.
insert into migration (name, digest) values ($1, $2);
