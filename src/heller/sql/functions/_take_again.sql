create or replace function heller._take_again(
  a heller.accounts, p_seq bigint, p_amount bigint, p_kind text, p_reason text, p_actor text, p_metadata jsonb, p_key text, p_request jsonb,
  p_payment_key text, p_counterparty text, p_policy text, p_effective_at timestamptz
) returns heller.transactions
language plpgsql set search_path = pg_catalog as $$
declare
  t heller.transactions;
  g record;
  v_available bigint := a.posted - a.held + a.overdraft_limit;
  v_left bigint := p_amount;
  v_take bigint;
begin
  if p_policy = 'refuse' and p_amount > v_available then
    perform heller._fail('HL002', format('%s credits are needed and %s are available', p_amount, v_available),
      jsonb_build_object('account', a.account_id, 'required', p_amount, 'available', v_available, 'held', a.held));
  end if;
  t := heller._post(a, -p_amount, p_kind, coalesce(p_reason, 'reversed'), p_actor, p_metadata, p_key, p_request, p_related_seq => p_seq,
                    p_payment_key => p_payment_key, p_counterparty => p_counterparty, p_effective_at => p_effective_at, p_settled => true);
  for g in select grant_id, remaining from heller.grants
           where account_id = a.account_id and unit = a.unit and seq = p_seq and remaining > 0 order by grant_id loop
    exit when v_left = 0;
    v_take := least(v_left, g.remaining);
    perform heller._take(a.account_id, a.unit, g.grant_id, t.seq, a.posted - (p_amount - v_left), v_take);
    v_left := v_left - v_take;
  end loop;
  update heller.grants set ended_at = t.recorded_at
  where account_id = a.account_id and unit = a.unit and seq = p_seq and remaining = 0 and ended_at is null;
  perform heller._draw(a, v_left, t.seq, t.seq, a.posted - (p_amount - v_left));
  perform heller._reset_due(a.account_id, a.unit);
  return t;
end $$;
comment on function heller._take_again(heller.accounts, bigint, bigint, text, text, text, jsonb, text, jsonb, text, text, text, timestamptz) is
  'Takes credits that transaction p_seq brought, from its own grants first, then in burn-down order. The account must be settled.';
