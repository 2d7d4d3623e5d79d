create or replace function heller._check_instant(p_argument text, p_at timestamptz) returns void
language plpgsql immutable set search_path = pg_catalog as $$
begin
  if p_at not between '1900-01-01 00:00:00+00' and '9999-01-01 00:00:00+00' then
    perform heller._fail('HL001', format('%s is %s; it must lie between the years 1900 and 9999', p_argument, p_at),
                         jsonb_build_object('argument', p_argument));
  end if;
end $$;
comment on function heller._check_instant(text, timestamptz) is 'Refuses an instant no calendar of a caller can hold (infinity among them).';
