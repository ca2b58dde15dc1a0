-- Who may come in: API keys, and tokens that are not accepted any more. What is written here is announced like everything
-- else (0002_writes.sql), so that every process stops trusting what it has verified before.

-- `everyone()` and the highest id stand for all owners and for none: neither may be somebody.
alter table app_user add constraint app_user_is_somebody
    check (id not in ('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'));

create table api_key (
    id           uuid primary key default uuidv7(),
    name         text not null,
    digest       bytea not null,
    scopes       text[] not null,
    owner_id     uuid,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint api_key_digest_unique unique (digest),
    constraint api_key_digest_is_sha256 check (length(digest) = 32),
    constraint api_key_name_present check (name ~ '\S'),
    constraint api_key_owner_exists foreign key (owner_id) references app_user (id) on delete cascade
);
create index api_key_of_owner on api_key (owner_id) where owner_id is not null;

create function api_key_announced() returns trigger language plpgsql as $$
begin
    perform announce('api_key', 'api_key:' || old.id);
    return null;
end $$;
-- That a key was used changes nothing about it.
create trigger api_key_changed after update on api_key for each row
    when ((old.digest, old.scopes, old.owner_id, old.expires_at, old.revoked_at)
        is distinct from (new.digest, new.scopes, new.owner_id, new.expires_at, new.revoked_at))
    execute function api_key_announced();
create trigger api_key_removed after delete on api_key for each row execute function api_key_announced();
create trigger api_key_emptied after truncate on api_key for each statement execute function everything_announced('api_key');

-- A token by its `jti`, or all tokens of a subject that were issued before.
create table token_revocation (
    kind       text not null,
    value      text not null,
    revoked_at timestamptz not null default now(),
    constraint token_revocation_pkey primary key (kind, value),
    constraint token_revocation_kind_known check (kind in ('token', 'subject'))
);
create function token_revocation_announced() returns trigger language plpgsql as $$
begin
    perform announce(new.kind, new.kind || ':' || encode(sha256(convert_to(new.value, 'UTF8')), 'hex'));
    return null;
end $$;
create trigger token_revocation_written after insert or update on token_revocation
    for each row execute function token_revocation_announced();
