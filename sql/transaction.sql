-- Transactions.

-- name: act_for -> ActingRow
-- $1 subject; $2 the id of a user, or null. Who the triggers write down as the one who makes the changes; until the end
-- of the transaction, so that nothing stays with the connection.
select set_config('dealgraph.actor', $1, true) as subject,
       set_config('dealgraph.user', coalesce($2::uuid::text, ''), true) as user_id;
