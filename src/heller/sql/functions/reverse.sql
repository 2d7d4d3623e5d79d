create or replace function heller.reverse(
  p_account_id text, p_seq bigint, p_reason text default null, p_key text default null, p_unit text default 'credit', p_actor text default null,
  p_metadata jsonb default null, p_policy text default 'refuse', p_if_version bigint default null, p_dry_run boolean default false,
  p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  o heller.transactions;
  v_result jsonb;
  v_left bigint;
begin
  if p_dry_run then
    begin
      v_result := heller.reverse(p_account_id, p_seq, p_reason, p_key, p_unit, p_actor, p_metadata, p_policy, p_if_version,
                                 p_effective_at => p_effective_at);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  perform heller._check_instant('effective_at', p_effective_at);
  if p_policy is null or p_policy not in ('refuse', 'debt') then
    perform heller._fail('HL001', format('policy %s is not one of refuse, debt', coalesce(p_policy, 'missing')), '{"argument": "policy"}');
  end if;
  select * into o from heller.transactions where account_id = p_account_id and unit = p_unit and seq = p_seq;
  if o.delta < 0 and (o.kind in ('spend', 'adjust') or o.kind = 'transfer' and o.counterparty is null) then  -- such a transfer came with a migration
    return heller._undo(p_account_id, p_seq, null, 'refund', array['spend', 'adjust', 'transfer'], p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version, true,
                        p_effective_at);
  elsif o.kind = 'clawback' and o.delta < 0 then
    return heller._undo(p_account_id, p_seq, null, 'reinstate', array['clawback'], p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version, true,
                        p_effective_at);
  end if;
  -- in id order, as everywhere, so that two transfers cannot wait for each other
  perform heller._lock_accounts(array[p_account_id, case o.kind when 'transfer' then o.counterparty end]);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  v_result := heller._replay(p_account_id, p_key, jsonb_build_object('verb', 'reverse', 'unit', p_unit, 'reason', coalesce(p_reason, 'reversed'),
    'amount', (select case kind when 'adjust' then delta else abs(delta) end from heller.transactions
               where account_id = p_account_id and idempotency_key = p_key),
    'metadata', nullif(p_metadata, '{}'), 'seq', p_seq, 'policy', nullif(p_policy, 'refuse'),
    'effective_at', timezone('UTC', p_effective_at)));
  if v_result is not null then return v_result; end if;
  perform heller._check_version(a, p_if_version);
  v_left := heller._reversible(a, o, p_seq);
  a := heller._settle(a);
  if o.delta > 0 then
    return heller._reverse_gain(a, o, v_left, p_reason, p_actor, p_metadata, p_key, p_policy, p_effective_at);
  end if;
  return heller._reverse_loss(a, o, v_left, p_reason, p_actor, p_metadata, p_key, p_policy, p_effective_at);
end $$;
comment on function heller.reverse(text, bigint, text, text, text, text, jsonb, text, bigint, boolean, timestamptz) is
  'Undoes what is left of any transaction as a whole: a spend is refunded, a clawback reinstated, a grant taken back, an expiry returned, a transfer sent back. Credits that were used since are refused, or become debt with p_policy debt.';
