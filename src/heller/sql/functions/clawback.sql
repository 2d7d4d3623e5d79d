create or replace function heller.clawback(
  p_account_id text, p_amount bigint, p_payment_key text default null, p_reason text default null, p_key text default null,
  p_unit text default 'credit', p_actor text default null, p_metadata jsonb default null, p_policy text default 'debt',
  p_dry_run boolean default false, p_if_version bigint default null, p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  t heller.transactions;
  v_replay jsonb;
  v_amount bigint;
  v_request jsonb;
begin
  if p_dry_run then
    begin
      v_replay := heller.clawback(p_account_id, p_amount, p_payment_key, p_reason, p_key, p_unit, p_actor, p_metadata, p_policy,
                                  p_if_version => p_if_version, p_effective_at => p_effective_at);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_amount('amount', p_amount);
  if p_policy is null or p_policy not in ('debt', 'clamp', 'grant') then
    perform heller._fail('HL001', format('policy %s is not one of debt, clamp, grant', coalesce(p_policy, 'missing')), '{"argument": "policy"}');
  end if;
  if p_payment_key is not null then perform heller._check_text('payment', p_payment_key, 255); end if;
  perform heller._check_instant('effective_at', p_effective_at);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_request := jsonb_build_object('verb', 'clawback', 'unit', p_unit, 'amount', p_amount,
    'reason', coalesce(p_reason, ''), 'metadata', nullif(p_metadata, '{}'), 'policy', p_policy, 'payment', p_payment_key,
    'effective_at', timezone('UTC', p_effective_at));
  v_replay := heller._replay(p_account_id, p_key, v_request);
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  a := heller._settle(a);
  v_amount := case p_policy
    when 'debt' then p_amount
    when 'clamp' then least(p_amount, greatest(a.posted - a.held, 0))
    else least(p_amount, greatest(a.posted - a.held, 0), (select coalesce(sum(remaining), 0) from heller.grants
      where account_id = p_account_id and unit = p_unit and payment_key = p_payment_key)) end;
  if v_amount = 0 then
    return heller._keep_outcome(p_account_id, p_key, v_request,
      jsonb_build_object('account', p_account_id, 'unit', p_unit, 'seq', null, 'kind', 'clawback', 'delta', 0, 'balance_before', a.posted,
        'balance_after', a.posted, 'available', a.posted - a.held + a.overdraft_limit, 'reason', coalesce(p_reason, ''), 'key', p_key,
        'payment', p_payment_key, 'shortfall', p_amount, 'replayed', false));
  end if;
  t := heller._post(a, -v_amount, 'clawback', p_reason, p_actor, p_metadata, p_key,
                    jsonb_strip_nulls(jsonb_build_object('amount', p_amount, 'policy', p_policy, 'payment', p_payment_key,
                      'effective_at', timezone('UTC', p_effective_at), 'result', jsonb_build_object('shortfall', p_amount - v_amount))),
                    p_payment_key => p_payment_key, p_effective_at => p_effective_at, p_settled => true);
  perform heller._draw(a, v_amount, t.seq, t.seq, a.posted, p_payment_key);
  perform heller._reset_due(p_account_id, p_unit);
  return heller._result(t, t.balance_after - a.held + a.overdraft_limit) || jsonb_build_object('shortfall', p_amount - v_amount);
end $$;
comment on function heller.clawback(text, bigint, text, text, text, text, text, jsonb, text, boolean, bigint, timestamptz) is
  'A payment was taken back: its credits go, from its own grant first. What was spent already becomes debt (policy debt), or is let go (clamp; grant: only what is left of that purchase).';
