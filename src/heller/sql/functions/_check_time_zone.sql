create or replace function heller._check_time_zone(p_argument text, p_time_zone text) returns text
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_time_zone text := case when p_time_zone = 'UTC' then p_time_zone  -- the list of all is read from files, in 15 ms
                           else (select name from pg_timezone_names where lower(name) = lower(p_time_zone)) end;
begin
  if v_time_zone is null then
    perform heller._fail('HL001', format('there is no time zone %s; give a name such as Europe/Berlin', p_time_zone), jsonb_build_object('argument', p_argument));
  end if;
  return v_time_zone;
end $$;
comment on function heller._check_time_zone(text, text) is 'A time zone as PostgreSQL spells it. Refuses what is the name of none, which PostgreSQL may take for an offset of the other sign (Berlin+1).';
