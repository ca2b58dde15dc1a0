-- Users: the people who own companies, contacts, deals and activities.
-- use: paging

-- define: table
app_user

-- define: columns
app_user.id, app_user.name, app_user.email, app_user.external_id, app_user.created_at, app_user.updated_at

-- define: live
true

-- define: visible
($1::uuid is null or app_user.id = $1)

-- define: matches
($8::text is null or lower(app_user.email) = lower($8))
      and ($9::timestamptz is null or app_user.created_at >= $9)
      and ($10::timestamptz is null or app_user.created_at < $10)

-- define: asked
$11::text

-- define: words
app_user.search

-- define: title
fold(app_user.name)

-- define: owned
true

-- define: sorts
-- with sort name: key = (lower(app_user.name) collate "C"); {texts}
-- with sort created_at: key = app_user.created_at; {times}

-- name: by_ids -> UserRow
-- $1 visible owner; $2 ids. An id of nothing, or of what may not be seen, has no row.
{by_ids};

-- name: page_of_{scope}_by_{sort}_{way} -> UserRow
{sorts}
{ways}
-- with scope all: within = true
{page};

-- name: search_by_{sort}_{way} -> UserRow
{sorts}
{ways}
{search};

-- name: search_by_{sort}_{way} -> UserRow
{ways}
{best};

-- name: count_of_{scope} -> CountRow
-- with scope all: within = true
{count};

-- name: count_of_search -> CountRow
{count_of_answers};
