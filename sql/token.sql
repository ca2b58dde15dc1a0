-- Tokens: which are not accepted any more, though they have been signed and have not expired.

-- name: standing -> TokenStandingRow
-- $1 `jti`, or null; $2 subject; $3 until when it may have been issued, by our clock; $4 id of the user it is of, or null.
select exists (
    select from token_revocation
    where (kind = 'token' and value = $1) or (kind = 'subject' and value = $2 and revoked_at >= $3)
) as is_revoked, exists (select from app_user where id = $4) as is_user;

-- name: revoke -> RevocationRow
-- $1 kind: token or subject; $2 the `jti` or the subject. A subject's tokens that are issued later are accepted.
insert into token_revocation (kind, value) values ($1, $2)
on conflict (kind, value) do update set revoked_at = greatest(token_revocation.revoked_at, now())
returning value, revoked_at;
