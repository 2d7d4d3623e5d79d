create or replace function heller._spend_refusal(
  p_account_id text, p_unit text, p_amount numeric, p_reason text, p_actor text, p_key text, p_metadata jsonb
) returns jsonb
language plpgsql immutable set search_path = pg_catalog as $$
declare
  v_detail text;
begin
  if p_amount between 1 and 9223372036854775807 and p_amount = trunc(p_amount) and length(p_account_id) between 1 and 200
     and heller._is_plain(p_amount::bigint, p_reason, p_actor, p_key, p_metadata) then
    return null;
  end if;
  if p_amount is null or p_amount < 1 or p_amount > 9223372036854775807 or p_amount <> trunc(p_amount) then
    return heller._error('HL001', format('amount is %s; it must be a whole number from 1 to 9223372036854775807', coalesce(p_amount::text, 'missing')),
                         '{"argument": "amount"}');
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  return null;
exception when sqlstate 'HL001' then
  get stacked diagnostics v_detail = pg_exception_detail;
  return heller._error('HL001', sqlerrm, v_detail::jsonb);
end $$;
comment on function heller._spend_refusal(text, text, numeric, text, text, text, jsonb) is 'What is wrong with the arguments of a spend, as a value; null when nothing is.';
