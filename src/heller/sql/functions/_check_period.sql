create or replace function heller._check_period(p_from timestamptz, p_until timestamptz) returns void
language plpgsql stable set search_path = pg_catalog as $$
begin
  if p_from > p_until then
    perform heller._fail('HL001', format('the period ends (%s) before it begins (%s); give the earlier instant first', p_until, p_from), '{"argument": "until"}');
  end if;
end $$;
comment on function heller._check_period(timestamptz, timestamptz) is 'Refuses a period that ends before it begins: its answer would be empty, whatever there is. One without a begin or an end is open there.';
