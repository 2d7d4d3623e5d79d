create or replace function heller.hold(
  p_account_id text, p_amount bigint, p_seconds integer default 900, p_reason text default null, p_key text default null,
  p_unit text default 'credit', p_actor text default null, p_metadata jsonb default null, p_overrun_limit bigint default 0,
  p_if_version bigint default null, p_dry_run boolean default false, p_allow_partial boolean default false,
  p_min_available_after bigint default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  h heller.holds;
  v_replay jsonb;
  v_available bigint;
  v_amount bigint;
  v_now timestamptz;
  v_request jsonb;
  v_refusal jsonb := heller._spend_options_refusal(p_min_available_after, null);
begin
  if p_dry_run then
    begin
      v_replay := heller.hold(p_account_id, p_amount, p_seconds, p_reason, p_key, p_unit, p_actor, p_metadata, p_overrun_limit, p_if_version,
                              p_allow_partial => p_allow_partial, p_min_available_after => p_min_available_after);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_replay || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_amount('amount', p_amount);
  perform heller._check_seconds(p_seconds);
  if p_overrun_limit is null or p_overrun_limit < 0 or p_overrun_limit::numeric + p_amount > 9223372036854775807 then
    perform heller._fail('HL001', 'overrun_limit must be at least 0', '{"argument": "overrun_limit"}');
  end if;
  if v_refusal is not null then perform heller._fail(v_refusal ->> 'error', v_refusal ->> 'message', v_refusal -> 'detail'); end if;
  v_request := heller._spend_request(p_allow_partial, p_min_available_after, null, p_amount);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_replay := heller._replay(p_account_id, p_key, jsonb_build_object('verb', 'hold', 'unit', p_unit, 'amount', p_amount,
    'reason', coalesce(p_reason, ''), 'metadata', p_metadata, 'overrun_limit', nullif(p_overrun_limit, 0)) || coalesce(v_request, '{}'));
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  if a.draining_since is not null then
    perform heller._fail('HL016', format('account %s is about to move: no new holds until it has', p_account_id),
                         jsonb_build_object('account', p_account_id, 'home', 'moving', 'reason', 'home: moving'));
  end if;
  v_available := a.posted - a.held + a.overdraft_limit;
  v_amount := heller._affordable(a, p_amount, p_allow_partial, p_min_available_after);
  v_now := heller._clock();
  insert into heller.holds (account_id, unit, hold_id, amount, overrun_limit, reason, actor, metadata, idempotency_key, request,
                            expires_at, placed_at)
  select p_account_id, p_unit, 1 + coalesce(max(hold_id), 0), v_amount, p_overrun_limit,
          coalesce(p_reason, ''), p_actor, nullif(p_metadata, '{}'), p_key, v_request, v_now + make_interval(secs => p_seconds), v_now
  from heller.holds where account_id = p_account_id and unit = p_unit
  returning * into h;
  update heller.accounts set held = held + v_amount, version = version + 1, next_due_at = least(next_due_at, h.expires_at)
  where account_id = p_account_id and unit = p_unit;
  return heller._hold_result(h) || jsonb_build_object('available', v_available - v_amount);
end $$;
comment on function heller.hold(text, bigint, integer, text, text, text, text, jsonb, bigint, bigint, boolean, boolean, bigint) is
  'Reserves credits for p_seconds: all or none, unless p_allow_partial; p_min_available_after keeps a rest. p_overrun_limit: how much more a capture may take so that started work is finished.';
