create or replace function heller._reverse_loss(
  a heller.accounts, o heller.transactions, p_amount bigint, p_reason text, p_actor text, p_metadata jsonb, p_key text, p_policy text,
  p_effective_at timestamptz
) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  b heller.accounts;
  t heller.transactions;
  u heller.transactions;
  v_result jsonb := '{"left": 0}';
begin
  if o.kind = 'transfer' then
    b := heller._settle(heller._lock(o.counterparty, a.unit));
    u := heller._take_again(b, (o.request #>> '{result,to_seq}')::bigint, p_amount, 'transfer', p_reason, p_actor, p_metadata, null,
                            jsonb_build_object('verb', 'reverse', 'seq', o.request #> '{result,to_seq}'), null, a.account_id, p_policy,
                            p_effective_at);
    v_result := v_result || jsonb_build_object('to', b.account_id, 'to_seq', u.seq, 'to_balance_after', u.balance_after);
  end if;
  t := heller._post(a, p_amount, o.kind, coalesce(p_reason, 'reversed'), p_actor, p_metadata, p_key,
                    jsonb_strip_nulls(jsonb_build_object('verb', 'reverse', 'seq', o.seq, 'policy', nullif(p_policy, 'refuse'),
                                                         'effective_at', timezone('UTC', p_effective_at), 'result', v_result)),
                    p_related_seq => o.seq, p_payment_key => o.payment_key, p_counterparty => o.counterparty,
                    p_effective_at => p_effective_at, p_settled => true);
  perform heller._put_back(a, o, t, 0, true);
  perform heller._count_for_member(a.account_id, a.unit, o.seq, -p_amount);
  a := heller._finish(a.account_id, a.unit);
  return heller._result(t, a.posted - a.held + a.overdraft_limit) || v_result;
end $$;
comment on function heller._reverse_loss(heller.accounts, heller.transactions, bigint, text, text, jsonb, text, text, timestamptz) is
  'Gives back what a transaction took, into the grants it came from; of a transfer the other account gives it.';
