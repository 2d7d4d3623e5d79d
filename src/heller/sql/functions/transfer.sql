create or replace function heller.transfer(
  p_account_id text, p_to text, p_amount bigint, p_reason text default null, p_key text default null, p_unit text default 'credit',
  p_actor text default null, p_metadata jsonb default null, p_if_version bigint default null, p_dry_run boolean default false, p_allow_partial boolean default false,
  p_min_available_after bigint default null, p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  b heller.accounts;
  t heller.transactions;
  u heller.transactions;
  v_replay jsonb;
  v_available bigint;
  v_amount bigint;
  v_request jsonb;
  v_refusal jsonb := heller._spend_options_refusal(p_min_available_after, p_effective_at);
begin
  if p_dry_run then
    begin
      v_replay := heller.transfer(p_account_id, p_to, p_amount, p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version,
        p_allow_partial => p_allow_partial, p_min_available_after => p_min_available_after, p_effective_at => p_effective_at);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_text('to', p_to, 200);
  perform heller._check_amount('amount', p_amount);
  if p_to = p_account_id then
    perform heller._fail('HL001', 'an account cannot transfer to itself', '{"argument": "to"}');
  end if;
  if v_refusal is not null then perform heller._fail(v_refusal ->> 'error', v_refusal ->> 'message', v_refusal -> 'detail'); end if;
  v_request := jsonb_build_object('to', p_to) || coalesce(heller._spend_request(p_allow_partial, p_min_available_after, p_effective_at, p_amount), '{}');
  -- in id order, as everywhere, so that two transfers cannot wait for each other
  perform heller._lock_accounts(array[p_account_id, p_to]);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_replay := heller._replay(p_account_id, p_key, jsonb_build_object('verb', 'transfer', 'unit', p_unit, 'amount', p_amount,
    'reason', coalesce(p_reason, ''), 'metadata', p_metadata) || v_request);
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  b := heller._lock(p_to, p_unit);
  v_available := a.posted - a.held + a.overdraft_limit;
  v_amount := heller._affordable(a, p_amount, p_allow_partial, p_min_available_after);
  a := heller._settle(a);
  b := heller._settle(b);
  t := heller._post(a, -v_amount, 'transfer', p_reason, p_actor, p_metadata, p_key, v_request || jsonb_build_object(
                      'result', jsonb_build_object('to', p_to, 'to_seq', b.last_seq + 1, 'to_balance_after', b.posted + v_amount)),
                    p_counterparty => p_to, p_effective_at => p_effective_at, p_settled => true);
  perform heller._draw(a, v_amount, t.seq, t.seq, a.posted, p_live_first => true);
  u := heller._post(b, v_amount, 'transfer', p_reason, p_actor, p_metadata, p_counterparty => p_account_id, p_effective_at => p_effective_at,
                    p_settled => true);
  perform heller._receive(b, u, a, t);
  perform heller._reset_due(p_account_id, p_unit);
  b := heller._finish(p_to, p_unit);
  return heller._result(t, v_available - v_amount) || jsonb_build_object('to', p_to, 'to_seq', u.seq, 'to_balance_after', u.balance_after);
end $$;
comment on function heller.transfer(text, text, bigint, text, text, text, text, jsonb, bigint, boolean, boolean, bigint, timestamptz) is
  'Moves credits to another account of the same unit, all or nothing unless p_allow_partial; p_min_available_after keeps a rest; they keep their source, priority, expiry and cost.';
