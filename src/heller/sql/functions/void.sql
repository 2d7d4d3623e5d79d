create or replace function heller.void(
  p_account_id text, p_grant_id bigint, p_reason text default null, p_key text default null, p_unit text default 'credit',
  p_actor text default null, p_metadata jsonb default null, p_if_version bigint default null, p_dry_run boolean default false,
  p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  a heller.accounts;
  g heller.grants;
  t heller.transactions;
  v_amount bigint;
  v_replay jsonb;
  v_request jsonb;
begin
  if p_dry_run then
    begin
      v_replay := heller.void(p_account_id, p_grant_id, p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version,
                              p_effective_at => p_effective_at);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_instant('effective_at', p_effective_at);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_request := jsonb_build_object('verb', 'void', 'unit', p_unit, 'grant', p_grant_id, 'reason', coalesce(p_reason, 'void'),
    'metadata', nullif(p_metadata, '{}'), 'effective_at', timezone('UTC', p_effective_at));
  select abs(delta) into v_amount from heller.transactions where account_id = p_account_id and idempotency_key = p_key;
  v_replay := heller._replay(p_account_id, p_key, v_request || jsonb_build_object('amount', v_amount));
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  a := heller._settle(a);
  select * into g from heller.grants where account_id = p_account_id and unit = p_unit and grant_id = p_grant_id;
  if not found then
    perform heller._fail('HL007', format('account %s has no grant %s', p_account_id, p_grant_id),
                         jsonb_build_object('account', p_account_id, 'grant', p_grant_id));
  end if;
  if g.seq is null and g.ended_at is null then
    if p_effective_at is not null then
      perform heller._fail('HL001', 'a grant that never counted is called off now; leave effective_at out', '{"argument": "effective_at"}');
    end if;
    update heller.grants set ended_at = v_now where account_id = p_account_id and unit = p_unit and grant_id = p_grant_id returning * into g;
    perform heller._reset_due(p_account_id, p_unit);
    update heller.accounts set version = version + 1 where account_id = p_account_id and unit = p_unit;
    return heller._keep_outcome(p_account_id, p_key, v_request, heller._grant_result(g)
      || jsonb_build_object('voided', g.amount, 'available', a.posted - a.held + a.overdraft_limit));
  end if;
  v_amount := least(g.remaining, greatest(a.posted - a.held, 0));
  if v_amount = 0 then
    perform heller._fail('HL010', format('nothing of grant %s can be taken back: %s of it remain, %s credits are held', p_grant_id, g.remaining, a.held),
                         jsonb_build_object('account', p_account_id, 'requested', g.remaining, 'left', 0));
  end if;
  t := heller._post(a, -v_amount, heller._kind_of_source(g.source), coalesce(p_reason, 'void'), p_actor, p_metadata, p_key,
                    jsonb_strip_nulls(jsonb_build_object('verb', 'void', 'grant', p_grant_id, 'effective_at', timezone('UTC', p_effective_at),
                      'result', jsonb_build_object('grant', p_grant_id, 'voided', v_amount))),
                    p_payment_key => g.payment_key, p_effective_at => p_effective_at, p_settled => true);
  perform heller._take(p_account_id, p_unit, p_grant_id, t.seq, a.posted, v_amount);
  update heller.grants set ended_at = t.recorded_at where account_id = p_account_id and unit = p_unit and grant_id = p_grant_id and remaining = 0;
  perform heller._reset_due(p_account_id, p_unit);
  return heller._result(t, t.balance_after - a.held + a.overdraft_limit) || jsonb_build_object('grant', p_grant_id, 'voided', v_amount);
end $$;
comment on function heller.void(text, bigint, text, text, text, text, jsonb, bigint, boolean, timestamptz) is
  'Takes back the unused rest of a grant; credits under a hold stay. A scheduled grant is called off.';
