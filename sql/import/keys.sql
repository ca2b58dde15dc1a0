-- What is there already of a source: by these a row of an export finds the rows it refers to.

-- name: of_{entity} -> KeyRow
-- $1 text the source. Names and e-mail addresses as they are; null where the table has none.
-- with entity user: table = app_user; name = name; email = email
-- with entity stage: table = stage; name = name; email = null::text
-- with entity company: table = company; name = name; email = null::text
-- with entity contact: table = contact; name = full_name; email = email
-- with entity deal: table = deal; name = name; email = null::text
select id, external_id, {name} as name, {email} as email
from {table}
where source = $1::text
order by created_at, id

-- name: any_of_{entity} -> AnyRow
-- $1 text the source. Whether there is a row that an import may have to update.
-- with entity user: table = app_user
-- with entity stage: table = stage
-- with entity company: table = company
-- with entity contact: table = contact
-- with entity deal: table = deal
-- with entity activity: table = activity
select exists (select from {table} where source = $1::text) as is_any
