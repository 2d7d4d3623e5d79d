create or replace function heller._apply_one(p_operation jsonb) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  o record;
  a heller.accounts;
  v_result jsonb;
begin
  if jsonb_typeof(p_operation) <> 'object' then
    return heller._error('HL001', format('an operation is a JSON %s; it must be an object', jsonb_typeof(p_operation)), '{"argument": "operation"}');
  end if;
  select * into strict o from jsonb_to_record(p_operation) as (
    verb text, account text, unit text, amount bigint, reason text, actor text, key text, metadata jsonb, if_version bigint, dry_run boolean,
    effective_at timestamptz, source text, priority integer, available_at timestamptz, expires_at timestamptz, cost bigint, currency text,
    payment text, "to" text, hold bigint, seq bigint, "grant" bigint, final boolean, seconds integer, overrun_limit bigint, policy text,
    overdraft_limit bigint, "user" text);
  if o.if_version is not null and o.verb in ('clawback', 'reinstate', 'capture', 'release', 'renew') then
    a := heller._lock(o.account, coalesce(o.unit, 'credit'), p_even_frozen => true);
  end if;
  if o.dry_run and o.verb in ('release', 'renew') then
    begin
      v_result := heller._apply_one(p_operation - 'dry_run');
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  v_result := case o.verb
    when 'spend' then (heller._spend_many(jsonb_build_array(p_operation)))[1]
    when 'open_account' then heller.open_account(o.account, coalesce(o.unit, 'credit'), o."user", coalesce(o.overdraft_limit, 0), o.metadata)
    when 'grant' then heller.grant(o.account, o.amount, p_source => coalesce(o.source, 'promotion'), p_unit => coalesce(o.unit, 'credit'),
      p_reason => o.reason, p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_priority => coalesce(o.priority, 100),
      p_available_at => o.available_at, p_expires_at => o.expires_at, p_cost => coalesce(o.cost, 0), p_currency => o.currency,
      p_payment_key => o.payment, p_effective_at => o.effective_at, p_if_version => o.if_version, p_dry_run => coalesce(o.dry_run, false))
    when 'void' then heller.void(o.account, o."grant", p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason, p_actor => o.actor,
      p_key => o.key, p_metadata => o.metadata, p_if_version => o.if_version, p_dry_run => coalesce(o.dry_run, false))
    when 'adjust' then heller.adjust(o.account, o.amount, p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason, p_actor => o.actor,
      p_key => o.key, p_metadata => o.metadata, p_policy => coalesce(o.policy, 'refuse'), p_effective_at => o.effective_at,
      p_if_version => o.if_version, p_dry_run => coalesce(o.dry_run, false))
    when 'refund' then heller.refund(o.account, o.seq, o.amount, p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason, p_actor => o.actor,
      p_key => o.key, p_metadata => o.metadata, p_if_version => o.if_version, p_dry_run => coalesce(o.dry_run, false))
    when 'reverse' then heller.reverse(o.account, o.seq, p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason, p_actor => o.actor,
      p_key => o.key, p_metadata => o.metadata, p_policy => coalesce(o.policy, 'refuse'), p_if_version => o.if_version,
      p_dry_run => coalesce(o.dry_run, false))
    when 'clawback' then heller.clawback(o.account, o.amount, o.payment, p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason,
      p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_policy => coalesce(o.policy, 'debt'), p_dry_run => coalesce(o.dry_run, false))
    when 'reinstate' then heller.reinstate(o.account, o.seq, o.amount, p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason,
      p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_dry_run => coalesce(o.dry_run, false))
    when 'transfer' then heller.transfer(o.account, o."to", o.amount, p_unit => coalesce(o.unit, 'credit'), p_reason => o.reason,
      p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_if_version => o.if_version, p_dry_run => coalesce(o.dry_run, false))
    when 'hold' then heller.hold(o.account, o.amount, p_seconds => coalesce(o.seconds, 900), p_unit => coalesce(o.unit, 'credit'),
      p_reason => o.reason, p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_overrun_limit => coalesce(o.overrun_limit, 0),
      p_if_version => o.if_version, p_dry_run => coalesce(o.dry_run, false))
    when 'capture' then heller.capture(o.account, o.hold, o.amount, p_final => coalesce(o.final, true), p_unit => coalesce(o.unit, 'credit'),
      p_reason => o.reason, p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_dry_run => coalesce(o.dry_run, false))
    when 'release' then heller.release(o.account, o.hold, p_unit => coalesce(o.unit, 'credit'), p_actor => o.actor)
    when 'renew' then heller.renew(o.account, o.hold, p_seconds => coalesce(o.seconds, 900), p_unit => coalesce(o.unit, 'credit'))
    else heller._error('HL001', format('verb %s is not known', coalesce(o.verb, 'missing')), '{"argument": "verb"}')
  end;
  if a.version <> o.if_version and v_result -> 'replayed' is distinct from 'true' then
    perform heller._check_version(a, o.if_version);  -- the verb has no such argument; its refusal takes the effect back
  end if;
  return v_result;
end $$;
comment on function heller._apply_one(jsonb) is 'One operation of a batch, by its verb.';
