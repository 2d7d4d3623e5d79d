create or replace function heller._replay_value(p_account_id text, p_key text, p_request jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_detail text;
begin
  return heller._replay(p_account_id, p_key, p_request);
exception when sqlstate 'HL013' then
  get stacked diagnostics v_detail = pg_exception_detail;
  return heller._error('HL013', sqlerrm, v_detail::jsonb);
end $$;
comment on function heller._replay_value(text, text, jsonb) is '_replay with its refusal as a value.';
