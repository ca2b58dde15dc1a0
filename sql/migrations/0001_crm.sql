-- The CRM: users own companies, contacts, deals and activities; a deal stands in a stage.
--
-- Every list that a client can page has an index here that serves its order: (scope, sort key, id). Sort keys
-- are never null, so that one row comparison finds a position: an unknown amount sorts as -1, below every known
-- one, and an unknown date as infinity, after every known one. Names sort by code point of their lower case.

create extension if not exists pg_trgm;
create extension if not exists unaccent;

-- "micorsoft" and "microsoft" share 0.43 of their trigrams, "acme" and "acne" 0.40: at 0.42 a word with two letters
-- swapped is found, and another word is not; at the default of 0.6 neither. Sessions that open after this see it.
do $$ begin execute format('alter database %I set pg_trgm.word_similarity_threshold = 0.42', current_database()); end $$;

-- Text as search compares it: lower case, without accents. unaccent() alone is only stable, since its dictionary
-- may be changed; ours is not.
create function fold(value text) returns text
    language sql immutable strict parallel safe
    return lower(public.unaccent('public.unaccent'::regdictionary, value));

create function touch() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end $$;

create table app_user (
    id          uuid primary key default uuidv7(),
    name        text not null,
    email       text,
    source      text,
    external_id text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    search      tsvector not null generated always as (to_tsvector('simple', fold(name || ' ' || coalesce(email, '')))) stored,
    constraint app_user_name_text check (name ~ '\S' and length(name) <= 300),
    constraint app_user_email_text check (email ~ '\S' and length(email) <= 320),
    constraint app_user_external_id_unique unique (source, external_id),
    constraint app_user_external_id_has_source check ((source is null) = (external_id is null))
);
create index app_user_by_name on app_user ((lower(name) collate "C"), id);
create index app_user_by_created_at on app_user (created_at, id);
create index app_user_search on app_user using gin (search);
create index app_user_name_trigrams on app_user using gin (fold(name) gin_trgm_ops);

create table stage (
    id          uuid primary key default uuidv7(),
    name        text not null,
    color       text not null default '#64748b',
    position    integer not null,
    probability double precision not null,
    is_won      boolean not null default false,
    is_lost     boolean not null default false,
    source      text,
    external_id text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint stage_name_text check (name ~ '\S' and length(name) <= 100),
    constraint stage_color_hex check (color ~ '^#[0-9a-fA-F]{6}$'),
    constraint stage_probability_range check (probability between 0 and 1),
    constraint stage_won_or_lost check (not (is_won and is_lost)),
    constraint stage_external_id_unique unique (source, external_id),
    constraint stage_external_id_has_source check ((source is null) = (external_id is null))
);

create table company (
    id          uuid primary key default uuidv7(),
    name        text not null,
    domain      text,
    website     text,
    industry    text,
    size        text,
    revenue     numeric(14, 2),
    location    text,
    owner_id    uuid not null,
    source      text,
    external_id text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    search      tsvector not null generated always as (to_tsvector('simple', fold(
        name || ' ' || coalesce(domain, '') || ' ' || coalesce(industry, '') || ' ' || coalesce(location, '')))) stored,
    constraint company_name_text check (name ~ '\S' and length(name) <= 300),
    constraint company_domain_text check (domain ~ '\S' and length(domain) <= 253),
    constraint company_website_text check (website ~ '\S' and length(website) <= 2000),
    constraint company_industry_text check (industry ~ '\S' and length(industry) <= 300),
    constraint company_size_text check (size ~ '\S' and length(size) <= 100),
    constraint company_location_text check (location ~ '\S' and length(location) <= 300),
    constraint company_revenue_not_negative check (revenue >= 0),
    constraint company_owner_exists foreign key (owner_id) references app_user (id),
    constraint company_external_id_unique unique (source, external_id),
    constraint company_external_id_has_source check ((source is null) = (external_id is null))
);
create index company_by_name on company ((lower(name) collate "C"), id);
create index company_by_created_at on company (created_at, id);
create index company_by_revenue on company ((coalesce(revenue, -1)), id);
create index company_of_owner_by_name on company (owner_id, (lower(name) collate "C"), id);
create index company_of_owner_by_created_at on company (owner_id, created_at, id);
create index company_of_owner_by_revenue on company (owner_id, (coalesce(revenue, -1)), id);
create index company_search on company using gin (search);
create index company_name_trigrams on company using gin (fold(name) gin_trgm_ops);

create table contact (
    id          uuid primary key default uuidv7(),
    first_name  text,
    last_name   text,
    full_name   text not null generated always as (coalesce(
        nullif(btrim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), ''), email, '')) stored,
    email       text,
    phone       text,
    title       text,
    role        text,
    company_id  uuid,
    owner_id    uuid not null,
    source      text,
    external_id text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    search      tsvector not null generated always as (to_tsvector('simple', fold(
        coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(email, '') || ' ' ||
        coalesce(title, '') || ' ' || coalesce(role, '')))) stored,
    constraint contact_first_name_text check (first_name ~ '\S' and length(first_name) <= 100),
    constraint contact_last_name_text check (last_name ~ '\S' and length(last_name) <= 100),
    constraint contact_email_text check (email ~ '\S' and length(email) <= 250),
    constraint contact_phone_text check (phone ~ '\S' and length(phone) <= 100),
    constraint contact_title_text check (title ~ '\S' and length(title) <= 300),
    constraint contact_role_text check (role ~ '\S' and length(role) <= 300),
    constraint contact_has_name check (coalesce(first_name, last_name, email) is not null),
    constraint contact_company_exists foreign key (company_id) references company (id),
    constraint contact_owner_exists foreign key (owner_id) references app_user (id),
    constraint contact_external_id_unique unique (source, external_id),
    constraint contact_external_id_has_source check ((source is null) = (external_id is null))
);
create index contact_by_name on contact ((lower(full_name) collate "C"), id);
create index contact_by_created_at on contact (created_at, id);
create index contact_of_owner_by_name on contact (owner_id, (lower(full_name) collate "C"), id);
create index contact_of_owner_by_created_at on contact (owner_id, created_at, id);
create index contact_of_company_by_name on contact (company_id, (lower(full_name) collate "C"), id);
create index contact_search on contact using gin (search);
create index contact_name_trigrams on contact using gin (fold(full_name) gin_trgm_ops);

create table deal (
    id                  uuid primary key default uuidv7(),
    name                text not null,
    value               numeric(14, 2),
    stage_id            uuid not null,
    probability         double precision,
    expected_close_date date,
    closed_at           timestamptz,
    company_id          uuid,
    contact_id          uuid,
    owner_id            uuid not null,
    source              text,
    external_id         text,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    search              tsvector not null generated always as (to_tsvector('simple', fold(name))) stored,
    constraint deal_name_text check (name ~ '\S' and length(name) <= 300),
    constraint deal_value_not_negative check (value >= 0),
    constraint deal_probability_range check (probability between 0 and 1),
    constraint deal_stage_exists foreign key (stage_id) references stage (id),
    constraint deal_company_exists foreign key (company_id) references company (id),
    constraint deal_contact_exists foreign key (contact_id) references contact (id),
    constraint deal_owner_exists foreign key (owner_id) references app_user (id),
    constraint deal_external_id_unique unique (source, external_id),
    constraint deal_external_id_has_source check ((source is null) = (external_id is null))
);
create index deal_by_created_at on deal (created_at, id);
create index deal_by_value on deal ((coalesce(value, -1)), id);
create index deal_by_close_date on deal ((coalesce(expected_close_date, 'infinity')), id);
create index deal_by_name on deal ((lower(name) collate "C"), id);
create index deal_of_owner_by_created_at on deal (owner_id, created_at, id);
create index deal_of_owner_by_value on deal (owner_id, (coalesce(value, -1)), id);
create index deal_of_owner_by_close_date on deal (owner_id, (coalesce(expected_close_date, 'infinity')), id);
create index deal_of_owner_by_name on deal (owner_id, (lower(name) collate "C"), id);
create index deal_of_company_by_created_at on deal (company_id, created_at, id);
create index deal_of_contact on deal (contact_id);
-- Counts and sums by stage read these alone, without the table.
create index deal_totals on deal (stage_id) include (value, probability);
create index deal_totals_of_owner on deal (owner_id, stage_id) include (value, probability, company_id);
create index deal_totals_of_company on deal (company_id) include (owner_id, stage_id, value);
create index deal_search on deal using gin (search);
create index deal_name_trigrams on deal using gin (fold(name) gin_trgm_ops);

create table stage_change (
    id            uuid primary key default uuidv7(),
    deal_id       uuid not null,
    from_stage_id uuid,
    to_stage_id   uuid not null,
    changed_by    uuid,
    changed_at    timestamptz not null default now(),
    constraint stage_change_deal_exists foreign key (deal_id) references deal (id),
    constraint stage_change_from_stage_exists foreign key (from_stage_id) references stage (id),
    constraint stage_change_to_stage_exists foreign key (to_stage_id) references stage (id),
    constraint stage_change_user_exists foreign key (changed_by) references app_user (id)
);
create index stage_change_of_deal on stage_change (deal_id, changed_at, id);

create table activity (
    id           uuid primary key default uuidv7(),
    type         text not null,
    subject      text not null,
    body         text,
    occurred_at  timestamptz not null default now(),
    due_at       timestamptz,
    completed_at timestamptz,
    company_id   uuid,
    deal_id      uuid,
    contact_id   uuid,
    owner_id     uuid not null,
    source       text,
    external_id  text,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    constraint activity_type_known check (type in ('CALL', 'EMAIL', 'MEETING', 'NOTE', 'TASK')),
    constraint activity_subject_text check (subject ~ '\S' and length(subject) <= 300),
    constraint activity_body_text check (length(body) <= 100000),
    constraint activity_due_is_of_task check (type = 'TASK' or (due_at is null and completed_at is null)),
    constraint activity_company_exists foreign key (company_id) references company (id),
    constraint activity_deal_exists foreign key (deal_id) references deal (id),
    constraint activity_contact_exists foreign key (contact_id) references contact (id),
    constraint activity_owner_exists foreign key (owner_id) references app_user (id),
    constraint activity_external_id_unique unique (source, external_id),
    constraint activity_external_id_has_source check ((source is null) = (external_id is null))
);
create index activity_by_occurred_at on activity (occurred_at, id);
create index activity_by_due_at on activity ((coalesce(due_at, 'infinity')), id);
create index activity_of_owner_by_occurred_at on activity (owner_id, occurred_at, id);
create index activity_of_owner_by_due_at on activity (owner_id, (coalesce(due_at, 'infinity')), id);
create index activity_of_company_by_occurred_at on activity (company_id, occurred_at, id);
create index activity_of_deal_by_occurred_at on activity (deal_id, occurred_at, id);
create index activity_of_contact_by_occurred_at on activity (contact_id, occurred_at, id);
create index activity_open_tasks on activity ((coalesce(due_at, 'infinity')), id)
    where type = 'TASK' and completed_at is null;
create index activity_open_tasks_of_owner on activity (owner_id, (coalesce(due_at, 'infinity')), id)
    where type = 'TASK' and completed_at is null;
-- Indexed expressions rather than stored columns: a body is long, and the words of it need not be kept twice.
create index activity_search on activity using gin (to_tsvector('simple', fold(subject || ' ' || coalesce(body, ''))));
create index activity_subject_trigrams on activity using gin (fold(subject) gin_trgm_ops);

create trigger app_user_touch before update on app_user for each row execute function touch();
create trigger stage_touch before update on stage for each row execute function touch();
create trigger company_touch before update on company for each row execute function touch();
create trigger contact_touch before update on contact for each row execute function touch();
create trigger deal_touch before update on deal for each row execute function touch();
create trigger activity_touch before update on activity for each row execute function touch();
