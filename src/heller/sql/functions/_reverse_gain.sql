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
  update heller.member_spending s set spent = s.spent + p_amount from heller.member_spends m
  where o.kind = 'refund' and m.account_id = a.account_id and m.unit = a.unit and m.seq = o.related_seq
    and s.account_id = a.account_id and s.unit = a.unit and s.member_id = m.member_id and s.period_start = m.period_start;
  return heller._result(t, t.balance_after - a.held + a.overdraft_limit) || jsonb_build_object('left', 0);
end $$;
comment on function heller._reverse_gain(heller.accounts, heller.transactions, bigint, text, text, jsonb, text, text, timestamptz) is
  'Takes back what a transaction gave. A refund that is undone counts again as spent by its member.';
