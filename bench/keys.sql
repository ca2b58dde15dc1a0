-- What the scenarios ask for.

-- name: owners -> key
-- Every owner.
select id::text from app_user order by id;

-- name: deals -> key
-- One deal in fifty, from the oldest to the newest.
select id::text
from (select id, row_number() over (order by id) as place from deal) as numbered
where place % 50 = 0
order by id;
