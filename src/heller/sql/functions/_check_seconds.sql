create or replace function heller._check_seconds(p_seconds integer) returns void
language plpgsql immutable set search_path = pg_catalog as $$
begin
  if p_seconds is null or p_seconds < 1 or p_seconds > 31622400 then
    perform heller._fail('HL001', format('seconds is %s; a hold lasts from 1 second to 366 days (31622400)', coalesce(p_seconds::text, 'missing')), '{"argument": "seconds"}');
  end if;
end $$;
comment on function heller._check_seconds(integer) is 'Refuses a hold without a sensible end.';
