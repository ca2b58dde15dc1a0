-- A table that is emptied at once has no rows to tell about: whatever was read of it goes out of date. Figures that were kept
-- of it are put right by `ops recount`, as after any change without triggers.

do $$
declare
    kind text;
    plural text;
begin
    for kind, plural in values
        ('company', 'companies'), ('contact', 'contacts'), ('deal', 'deals'), ('activity', 'activities'),
        ('app_user', 'users'), ('stage', 'stages'), ('stage_change', 'deals')
    loop
        execute format('create function %1$s_emptied() returns trigger language plpgsql as $body$
            begin
                perform announce(%2$L, %2$L);
                return null;
            end $body$', kind, plural);
        execute format('create trigger %1$s_emptied after truncate on %1$s for each statement execute function %1$s_emptied()', kind);
    end loop;
end $$;
