-- Idempotency keys: what clients call a change, so that sending it again does not make it again.

-- name: claim -> KeyRow
-- $1 subject; $2 key; $3 digest of the input. No row where the key is taken. While another transaction is using the key
-- this waits for its end.
insert into idempotency_key (subject, key, digest)
values ($1, $2, $3)
on conflict (subject, key) do nothing
returning key;

-- name: claimed -> ClaimRow
-- $1 subject; $2 key. Whatever `claim` waited for is seen only by a statement of its own.
select digest, answer from idempotency_key where subject = $1 and key = $2;

-- name: remember -> KeyRow
-- $1 subject; $2 key; $3 the answer as JSON.
update idempotency_key set answer = $3::jsonb where subject = $1 and key = $2 returning key;
