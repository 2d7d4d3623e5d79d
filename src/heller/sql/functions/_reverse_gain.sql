create or replace function heller._reverse_gain(
  a heller.accounts, o heller.transactions, p_amount bigint, p_reason text, p_actor text, p_metadata jsonb, p_key text, p_policy text,
  p_effective_at timestamptz
) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  t heller.transactions;
begin
  t := heller._take_again(a, o.seq, p_amount, o.kind, p_reason, p_actor, p_metadata, p_key,
                          jsonb_strip_nulls(jsonb_build_object('verb', 'reverse', 'seq', o.seq, 'policy', nullif(p_policy, 'refuse'),
                                                               'effective_at', timezone('UTC', p_effective_at),
                                                               'result', jsonb_build_object('left', 0))),
                          o.payment_key, o.counterparty, p_policy, p_effective_at);
  perform heller._count_for_member(a.account_id, a.unit, o.seq, p_amount);
  return heller._result(t, t.balance_after - a.held + a.overdraft_limit) || jsonb_build_object('left', 0);
end $$;
comment on function heller._reverse_gain(heller.accounts, heller.transactions, bigint, text, text, jsonb, text, text, timestamptz) is
  'Takes back what a transaction gave. A refund that is undone counts again as spent by its member.';
