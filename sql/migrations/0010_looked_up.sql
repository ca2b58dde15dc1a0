-- What other services look people and companies up by. Without these the whole order of a list was walked for one row.
create index contact_of_email on contact (lower(email)) where deleted_at is null;
create index company_of_domain on company (lower(domain)) where deleted_at is null;
