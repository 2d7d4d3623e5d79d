create or replace function heller._undo(
  p_account_id text, p_seq bigint, p_amount bigint, p_kind text, p_undone text[], p_reason text, p_key text, p_unit text, p_actor text,
  p_metadata jsonb, p_if_version bigint, p_revive boolean, p_effective_at timestamptz
) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  a heller.accounts;
  o heller.transactions;
  t heller.transactions;
  v_replay jsonb;
  v_left bigint;
  v_amount bigint;
begin
  perform heller._check_common(p_account_id, p_unit, p_reason, p_actor, p_key, p_metadata);
  if p_amount is not null then perform heller._check_amount('amount', p_amount); end if;
  perform heller._check_instant('effective_at', p_effective_at);
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  select * into o from heller.transactions where account_id = p_account_id and unit = p_unit and seq = p_seq;
  if not found then
    perform heller._fail('HL006', format('account %s has no transaction %s', p_account_id, p_seq),
                         jsonb_build_object('account', p_account_id, 'seq', p_seq));
  elsif not (o.kind = any (p_undone) and o.delta < 0) then
    perform heller._fail('HL001', format('transaction %s is a %s of %s; only a %s that took credits can be undone so', p_seq, o.kind, o.delta,
                                         array_to_string(p_undone, ' or ')), '{"argument": "seq"}');
  end if;
  v_left := -o.delta - (select coalesce(sum(delta), 0) from heller.transactions
                        where account_id = p_account_id and unit = p_unit and related_seq = p_seq and kind = p_kind);
  v_replay := heller._replay(p_account_id, p_key, jsonb_build_object('verb', p_kind, 'unit', p_unit,
    'amount', coalesce(p_amount, (select delta from heller.transactions where account_id = p_account_id and idempotency_key = p_key), v_left),
    'reason', coalesce(p_reason, ''), 'metadata', p_metadata, 'seq', p_seq, 'whole', case when p_amount is null then true end,
    'effective_at', timezone('UTC', p_effective_at)));
  if v_replay is not null then return v_replay; end if;
  perform heller._check_version(a, p_if_version);
  v_amount := coalesce(p_amount, v_left);
  if v_amount > v_left or v_left = 0 then
    perform heller._fail('HL010', format('%s of transaction %s is left to undo, not %s', v_left, p_seq, coalesce(p_amount, -o.delta)),
                         jsonb_build_object('account', p_account_id, 'requested', coalesce(p_amount, -o.delta), 'left', v_left));
  end if;
  a := heller._settle(a);
  t := heller._post(a, v_amount, p_kind, p_reason, p_actor, p_metadata, p_key,
                    jsonb_strip_nulls(jsonb_build_object('seq', p_seq, 'whole', case when p_amount is null then true end,
                      'effective_at', timezone('UTC', p_effective_at), 'result', jsonb_build_object('left', v_left - v_amount))),
                    p_related_seq => p_seq, p_payment_key => o.payment_key, p_effective_at => p_effective_at, p_settled => true);
  perform heller._put_back(a, o, t, -o.delta - v_left, p_revive);
  perform heller._count_for_member(p_account_id, p_unit, p_seq, -v_amount);
  a := heller._finish(p_account_id, p_unit);
  return heller._result(t, a.posted - a.held + a.overdraft_limit) || jsonb_build_object('left', v_left - v_amount);
end $$;
comment on function heller._undo(text, bigint, bigint, text, text[], text, text, text, text, jsonb, bigint, boolean, timestamptz) is
  'What refund and reinstate share: gives back what a transaction took, wholly or in parts, never more.';
