create or replace function heller.spend(
  p_account_id text, p_amount bigint, p_reason text default null, p_key text default null, p_unit text default 'credit',
  p_actor text default null, p_metadata jsonb default null, p_allow_partial boolean default false, p_min_available_after bigint default null,
  p_effective_at timestamptz default null, p_if_version bigint default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_result jsonb;
begin
  v_result := (heller._spend_many(jsonb_build_array(jsonb_build_object(
    'verb', 'spend', 'account', p_account_id, 'unit', p_unit, 'amount', p_amount, 'reason', p_reason, 'actor', p_actor, 'key', p_key, 'metadata', p_metadata,
    'allow_partial', nullif(p_allow_partial, false), 'min_available_after', p_min_available_after, 'effective_at', p_effective_at,
    'if_version', p_if_version, 'dry_run', nullif(p_dry_run, false)))))[1];
  if v_result ? 'error' then
    perform heller._fail(v_result ->> 'error', v_result ->> 'message', v_result -> 'detail');
  end if;
  return v_result;
end $$;
comment on function heller.spend(text, bigint, text, text, text, text, jsonb, boolean, bigint, timestamptz, bigint, boolean) is
  'Takes credits for something. Refused when available is less than the amount, unless p_allow_partial; p_min_available_after keeps a rest.';
