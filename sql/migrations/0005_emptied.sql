-- A table that is emptied at once has no rows to tell about: whatever was read of it goes out of date. Figures that were kept
-- of it are put right by `ops recount`, as after any change without triggers.

create function emptied() returns trigger language plpgsql as $$
begin
    perform announce(tg_argv[0], tg_argv[0]);
    return null;
end $$;
create trigger company_emptied after truncate on company for each statement execute function emptied('companies');
create trigger contact_emptied after truncate on contact for each statement execute function emptied('contacts');
create trigger deal_emptied after truncate on deal for each statement execute function emptied('deals');
create trigger activity_emptied after truncate on activity for each statement execute function emptied('activities');
create trigger app_user_emptied after truncate on app_user for each statement execute function emptied('users');
create trigger stage_emptied after truncate on stage for each statement execute function emptied('stages');
create trigger stage_change_emptied after truncate on stage_change for each statement execute function emptied('deals');
