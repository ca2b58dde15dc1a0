-- Migrations: which files of sql/migrations the database has.

-- name: lock -> nothing
-- $1 the number of the lock, which is let go with the transaction: one of the session would stay in a pooler's connection.
select pg_advisory_xact_lock($1);

-- name: encoding -> EncodingRow
select current_setting('server_encoding') as encoding;

-- name: make_table -> nothing
create table if not exists migration (
    name text primary key, digest text not null, applied_at timestamptz not null default now()
);

-- name: applied -> MigrationRow
select name, digest from migration;

-- name: record -> nothing
-- $1 name; $2 digest.
insert into migration (name, digest) values ($1, $2);
