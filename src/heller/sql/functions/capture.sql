create or replace function heller.capture(
  p_account_id text, p_hold_id bigint, p_amount bigint default null, p_final boolean default true, p_reason text default null,
  p_key text default null, p_unit text default 'credit', p_actor text default null, p_metadata jsonb default null, p_dry_run boolean default false,
  p_if_version bigint default null, p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  h heller.holds;
  t heller.transactions;
  v_replay jsonb;
  v_amount bigint;
  v_freed bigint;
begin
  if p_dry_run then
    begin
      v_replay := heller.capture(p_account_id, p_hold_id, p_amount, p_final, p_reason, p_key, p_unit, p_actor, p_metadata,
                                 p_if_version => p_if_version, p_effective_at => p_effective_at);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  if p_amount is not null then perform heller._check_amount('amount', p_amount); end if;
  perform heller._check_instant('effective_at', p_effective_at);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  if p_key is not null then
    select * into t from heller.transactions where account_id = p_account_id and idempotency_key = p_key;
    v_replay := heller._replay(p_account_id, p_key, jsonb_build_object('verb', 'capture', 'unit', p_unit, 'amount', coalesce(p_amount, -t.delta),
      'reason', coalesce(p_reason, (select reason from heller.holds where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id)),
      'metadata', p_metadata, 'hold', p_hold_id, 'final', nullif(p_final, true), 'whole', case when p_amount is null then true end,
      'effective_at', timezone('UTC', p_effective_at)));
    if v_replay is not null then return v_replay; end if;
  end if;
  perform heller._check_version(a, p_if_version);
  h := heller._open_hold(p_account_id, p_unit, p_hold_id);
  v_amount := coalesce(p_amount, greatest(h.amount - h.captured, 0));
  if v_amount = 0 or v_amount > h.amount + h.overrun_limit - h.captured then
    perform heller._fail('HL010', format('hold %s has %s credits left to capture, not %s', p_hold_id, h.amount + h.overrun_limit - h.captured, v_amount),
      jsonb_build_object('account', p_account_id, 'requested', v_amount, 'left', h.amount + h.overrun_limit - h.captured));
  end if;
  t := heller._post(a, -v_amount, 'spend', coalesce(p_reason, h.reason), p_actor, p_metadata, p_key,
    jsonb_strip_nulls(jsonb_build_object('verb', 'capture', 'hold', p_hold_id, 'final', nullif(p_final, true), 'whole', case when p_amount is null then true end,
      'effective_at', timezone('UTC', p_effective_at), 'result', jsonb_build_object('captured', h.captured + v_amount, 'final', coalesce(p_final, true)))),
    p_hold_id => p_hold_id, p_effective_at => p_effective_at);
  v_freed := least(v_amount, greatest(h.amount - h.captured, 0));
  update heller.holds set captured = captured + v_amount
  where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id returning * into h;
  update heller.accounts set held = held - v_freed where account_id = p_account_id and unit = p_unit;
  if coalesce(p_final, true) or h.captured >= h.amount + h.overrun_limit then
    perform heller._close_hold(p_account_id, p_unit, p_hold_id, 'captured', t.recorded_at);
  end if;
  a := heller._finish(p_account_id, p_unit);
  return heller._result(t, a.posted - a.held + a.overdraft_limit) || jsonb_build_object('captured', h.captured, 'final', coalesce(p_final, true));
end $$;
comment on function heller.capture(text, bigint, bigint, boolean, text, text, text, text, jsonb, boolean, bigint, timestamptz) is
  'Spends held credits: all that is left (no amount) or a part. p_final false keeps the hold open for further parts; otherwise the rest is freed.';
