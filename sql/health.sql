-- Health.

-- name: ping -> PingRow
-- One row, if PostgreSQL answers at all.
select true as answers;

-- name: synchronise -> nothing
-- The smallest statement there is.
select;
