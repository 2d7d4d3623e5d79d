create or replace function heller._apply_one(p_operation jsonb) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  o record;
  v_refusal jsonb := heller._refused_option(p_operation);
begin
  if v_refusal is not null then return v_refusal; end if;
  select * into strict o from jsonb_to_record(p_operation) as (
    verb text, account text, unit text, amount bigint, reason text, actor text, key text, metadata jsonb, if_version bigint, dry_run boolean,
    effective_at timestamptz, source text, priority integer, available_at timestamptz, expires_at timestamptz, cost bigint, currency text,
    payment text, "to" text, hold bigint, seq bigint, "grant" bigint, final boolean, seconds integer, overrun_limit bigint, policy text,
    overdraft_limit bigint, "user" text, allow_partial boolean, min_available_after bigint);
  o.unit := coalesce(o.unit, 'credit');
  o.dry_run := coalesce(o.dry_run, false);
  return case o.verb
    when 'spend' then (heller._spend_many(jsonb_build_array(p_operation)))[1]
    when 'open_account' then heller.open_account(o.account, o.unit, o."user", coalesce(o.overdraft_limit, 0), o.metadata, o.dry_run)
    when 'grant' then heller.grant(o.account, o.amount, p_source => coalesce(o.source, 'promotion'), p_unit => o.unit, p_reason => o.reason,
      p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_priority => coalesce(o.priority, 100), p_available_at => o.available_at,
      p_expires_at => o.expires_at, p_cost => coalesce(o.cost, 0), p_currency => o.currency, p_payment_key => o.payment,
      p_effective_at => o.effective_at, p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'void' then heller.void(o.account, o."grant", p_unit => o.unit, p_reason => o.reason, p_actor => o.actor, p_key => o.key,
      p_metadata => o.metadata, p_effective_at => o.effective_at, p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'adjust' then heller.adjust(o.account, o.amount, p_unit => o.unit, p_reason => o.reason, p_actor => o.actor, p_key => o.key,
      p_metadata => o.metadata, p_policy => coalesce(o.policy, 'refuse'), p_effective_at => o.effective_at, p_if_version => o.if_version,
      p_dry_run => o.dry_run)
    when 'refund' then heller.refund(o.account, o.seq, o.amount, p_unit => o.unit, p_reason => o.reason, p_actor => o.actor, p_key => o.key,
      p_metadata => o.metadata, p_effective_at => o.effective_at, p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'reverse' then heller.reverse(o.account, o.seq, p_unit => o.unit, p_reason => o.reason, p_actor => o.actor, p_key => o.key,
      p_metadata => o.metadata, p_policy => coalesce(o.policy, 'refuse'), p_effective_at => o.effective_at, p_if_version => o.if_version,
      p_dry_run => o.dry_run)
    when 'clawback' then heller.clawback(o.account, o.amount, o.payment, p_unit => o.unit, p_reason => o.reason, p_actor => o.actor,
      p_key => o.key, p_metadata => o.metadata, p_policy => coalesce(o.policy, 'debt'), p_effective_at => o.effective_at,
      p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'reinstate' then heller.reinstate(o.account, o.seq, o.amount, p_unit => o.unit, p_reason => o.reason, p_actor => o.actor, p_key => o.key,
      p_metadata => o.metadata, p_effective_at => o.effective_at, p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'transfer' then heller.transfer(o.account, o."to", o.amount, p_unit => o.unit, p_reason => o.reason, p_actor => o.actor, p_key => o.key,
      p_metadata => o.metadata, p_allow_partial => coalesce(o.allow_partial, false), p_min_available_after => o.min_available_after,
      p_effective_at => o.effective_at, p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'hold' then heller.hold(o.account, o.amount, p_seconds => coalesce(o.seconds, 900), p_unit => o.unit, p_reason => o.reason,
      p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_overrun_limit => coalesce(o.overrun_limit, 0),
      p_allow_partial => coalesce(o.allow_partial, false), p_min_available_after => o.min_available_after, p_if_version => o.if_version,
      p_dry_run => o.dry_run)
    when 'capture' then heller.capture(o.account, o.hold, o.amount, p_final => coalesce(o.final, true), p_unit => o.unit, p_reason => o.reason,
      p_actor => o.actor, p_key => o.key, p_metadata => o.metadata, p_effective_at => o.effective_at, p_if_version => o.if_version,
      p_dry_run => o.dry_run)
    when 'release' then heller.release(o.account, o.hold, p_unit => o.unit, p_if_version => o.if_version, p_dry_run => o.dry_run)
    when 'renew' then heller.renew(o.account, o.hold, p_seconds => coalesce(o.seconds, 900), p_unit => o.unit, p_if_version => o.if_version,
      p_dry_run => o.dry_run)
  end;
end $$;
comment on function heller._apply_one(jsonb) is 'One operation of a batch, by its verb.';
