create or replace function heller.grant(
  p_account_id text, p_amount bigint, p_source text default 'promotion', p_reason text default null, p_key text default null,
  p_unit text default 'credit', p_actor text default null, p_metadata jsonb default null, p_priority integer default 100,
  p_available_at timestamptz default null, p_expires_at timestamptz default null, p_cost bigint default 0, p_currency text default null,
  p_payment_key text default null, p_effective_at timestamptz default null, p_if_version bigint default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  v_grant_id bigint;
  g heller.grants;
  t heller.transactions;
  v_options jsonb := heller._grant_options(p_source, p_priority, p_available_at, p_expires_at, p_cost, p_currency, p_payment_key)
                     || case when p_effective_at is null then '{}' else jsonb_build_object('effective_at', timezone('UTC', p_effective_at)) end;
  v_replay jsonb;
begin
  if p_dry_run then
    begin
      v_replay := heller.grant(p_account_id, p_amount, p_source, p_reason, p_key, p_unit, p_actor, p_metadata, p_priority, p_available_at,
                               p_expires_at, p_cost, p_currency, p_payment_key, p_effective_at, p_if_version);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_amount('amount', p_amount);
  perform heller._check_given(p_source, p_priority, p_cost, p_currency);
  if p_expires_at <= coalesce(p_available_at, '-infinity') then
    perform heller._fail('HL001', 'the grant would expire before it is available', '{"argument": "expires_at"}');
  end if;
  perform heller._check_text('payment', p_payment_key, 255, false),
    heller._check_instant('available_at', p_available_at), heller._check_instant('expires_at', p_expires_at),
    heller._check_instant('effective_at', p_effective_at);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_replay := heller._replay(p_account_id, p_key, v_options || jsonb_build_object('verb', 'grant',
    'unit', p_unit, 'amount', p_amount, 'reason', coalesce(p_reason, ''), 'metadata', p_metadata));
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  if p_expires_at <= heller._clock() then
    perform heller._fail('HL001', format('expires_at %s is in the past', p_expires_at), '{"argument": "expires_at"}');
  end if;
  if p_available_at > heller._clock() then
    if p_effective_at is not null then
      perform heller._fail('HL001', 'a grant that is available later counts from then; leave effective_at out', '{"argument": "effective_at"}');
    end if;
    update heller.accounts set last_grant = last_grant + 1, version = version + 1, next_due_at = least(next_due_at, p_available_at)
    where account_id = p_account_id and unit = p_unit returning * into a;
    insert into heller.grants (account_id, unit, grant_id, amount, remaining, source, priority, available_at, expires_at, cost, currency,
                               payment_key, reason, actor, metadata, idempotency_key, granted_at)
    values (p_account_id, p_unit, a.last_grant, p_amount, 0, p_source, p_priority, p_available_at, p_expires_at, p_cost, p_currency,
            p_payment_key, coalesce(p_reason, ''), p_actor, nullif(p_metadata, '{}'), p_key, heller._clock())
    returning * into g;
    return heller._grant_result(g) || jsonb_build_object('available', a.posted - a.held + a.overdraft_limit);
  end if;
  a := heller._settle(a);
  t := heller._post(a, p_amount, heller._kind_of_source(p_source), p_reason, p_actor,
                    p_metadata, p_key, v_options || jsonb_build_object('result', jsonb_build_object('grant', a.last_grant + 1)), p_payment_key => p_payment_key, p_effective_at => p_effective_at, p_settled => true);
  v_grant_id := heller._give(a, t.seq, p_amount, p_source, t.reason, p_priority, p_expires_at, p_cost, p_currency, p_payment_key, p_actor, t.metadata,
                             t.recorded_at);
  a := heller._finish(p_account_id, p_unit);
  return heller._result(t, a.posted - a.held + a.overdraft_limit) || jsonb_build_object('grant', v_grant_id);
end $$;
comment on function heller.grant(text, bigint, text, text, text, text, text, jsonb, integer, timestamptz, timestamptz, bigint, text, text, timestamptz, bigint, boolean) is
  'Gives credits: at once, or at p_available_at. p_cost is what was paid for all of them, in minor units of p_currency. Debt is paid first.';
