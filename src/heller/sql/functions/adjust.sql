create or replace function heller.adjust(
  p_account_id text, p_amount bigint, p_reason text default null, p_key text default null, p_unit text default 'credit',
  p_actor text default null, p_metadata jsonb default null, p_policy text default 'refuse', p_effective_at timestamptz default null,
  p_if_version bigint default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  t heller.transactions;
  v_replay jsonb;
  v_available bigint;
begin
  if p_dry_run then
    begin
      v_replay := heller.adjust(p_account_id, p_amount, p_reason, p_key, p_unit, p_actor, p_metadata, p_policy, p_effective_at, p_if_version);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_text('reason', p_reason, 2000);
  if p_amount is null or p_amount = 0 or p_amount = -9223372036854775808 then
    perform heller._fail('HL001', 'amount is 0 or missing; an adjustment adds or takes at least 1 credit', '{"argument": "amount"}');
  elsif p_policy is null or p_policy not in ('refuse', 'debt') then
    perform heller._fail('HL001', format('policy %s is not one of refuse, debt', coalesce(p_policy, 'missing')), '{"argument": "policy"}');
  end if;
  perform heller._check_instant('effective_at', p_effective_at);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_replay := heller._replay(p_account_id, p_key, jsonb_build_object('verb', 'adjust', 'unit', p_unit, 'amount', p_amount,
    'reason', p_reason, 'metadata', p_metadata, 'policy', nullif(p_policy, 'refuse'),
    'effective_at', timezone('UTC', p_effective_at)));
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  v_available := a.posted - a.held + a.overdraft_limit;
  if p_amount < 0 and p_policy = 'refuse' and -p_amount > v_available then
    perform heller._fail('HL002', format('%s credits are needed and %s are available', -p_amount, v_available),
      jsonb_build_object('account', p_account_id, 'required', -p_amount, 'available', v_available, 'held', a.held));
  end if;
  if p_amount > 0 then a := heller._settle(a); end if;
  t := heller._post(a, p_amount, 'adjust', p_reason, p_actor, p_metadata, p_key,
                    nullif(jsonb_strip_nulls(jsonb_build_object('policy', nullif(p_policy, 'refuse'), 'effective_at', timezone('UTC', p_effective_at))), '{}'),
                    p_effective_at => p_effective_at, p_settled => p_amount > 0);
  if p_amount > 0 then
    perform heller._give(a, t.seq, p_amount, 'adjustment', t.reason, p_actor => p_actor, p_granted_at => t.recorded_at);
    a := heller._finish(p_account_id, p_unit);
    return heller._result(t, a.posted - a.held + a.overdraft_limit);
  end if;
  return heller._result(t, v_available + p_amount);
end $$;
comment on function heller.adjust(text, bigint, text, text, text, text, jsonb, text, timestamptz, bigint, boolean) is
  'Corrects a balance by hand, up or down, with a reason. Down beyond available is refused, or becomes debt with p_policy debt.';
