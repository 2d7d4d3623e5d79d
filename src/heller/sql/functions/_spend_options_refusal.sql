create or replace function heller._spend_options_refusal(p_min_available_after bigint, p_effective_at timestamptz) returns jsonb
language plpgsql immutable set search_path = pg_catalog as $$
declare
  v_detail text;
begin
  if p_min_available_after < 0 then
    return heller._error('HL001', format('min_available_after is %s; it is a rest to keep, at least 0', p_min_available_after),
                         '{"argument": "min_available_after"}');
  end if;
  perform heller._check_instant('effective_at', p_effective_at);
  return null;
exception when sqlstate 'HL001' then
  get stacked diagnostics v_detail = pg_exception_detail;
  return heller._error('HL001', sqlerrm, v_detail::jsonb);
end $$;
comment on function heller._spend_options_refusal(bigint, timestamptz) is 'What is wrong with the options of a spend, as a value; null when nothing is.';
