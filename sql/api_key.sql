-- API keys: what services come in with.

-- name: by_digest -> ApiKeyRow
-- $1 SHA-256 of the key. None where nobody has that key.
select id, scopes, owner_id, expires_at, revoked_at from api_key where digest = $1;

-- name: note_used -> UsedKeyRow
-- $1 ids; $2 what counts as the same use. So that each key is written once in that time, by however many processes.
update api_key set last_used_at = now()
where id = any($1::uuid[]) and (last_used_at is null or last_used_at < now() - $2::interval)
returning id;

-- name: create -> CreatedKeyRow
-- $1 name; $2 SHA-256; $3 scopes; $4 id of the owner, or null; $5 when it expires, or null.
insert into api_key (name, digest, scopes, owner_id, expires_at) values ($1, $2, $3, $4, $5) returning id;

-- name: owner -> OwnerRow
-- $1 a user's id, or e-mail address, letter case aside.
select id, name from app_user where id::text = lower($1) or lower(email) = lower($1);

-- name: all -> ListedKeyRow
-- Newest first.
select api_key.id, api_key.name, api_key.scopes, app_user.name as owner, api_key.expires_at, api_key.last_used_at,
       api_key.revoked_at, api_key.expires_at <= now() as is_expired
from api_key
left join app_user on app_user.id = api_key.owner_id
order by api_key.created_at desc, api_key.id desc;

-- name: revoke -> CreatedKeyRow
-- $1 id. The key, revoked now or before; none where there is no such key.
update api_key set revoked_at = coalesce(revoked_at, now()) where id = $1 returning id;
