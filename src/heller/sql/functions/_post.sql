create or replace function heller._post(
  a heller.accounts, p_delta bigint, p_kind text, p_reason text, p_actor text default null, p_metadata jsonb default null,
  p_key text default null, p_request jsonb default null, p_related_seq bigint default null, p_hold_id bigint default null,
  p_payment_key text default null, p_counterparty text default null, p_effective_at timestamptz default null,
  p_settled boolean default false
) returns heller.transactions
language plpgsql set search_path = pg_catalog as $$
declare
  t heller.transactions := heller._compose(a, p_delta, p_kind, p_reason, p_actor, p_metadata, p_key, p_request, p_related_seq, p_hold_id,
                                           p_payment_key, p_counterparty, p_effective_at);
begin
  insert into heller.transactions select t.*;
  update heller.accounts set
    posted = t.balance_after, version = version + 1, last_seq = t.seq, head_hash = t.hash,
    latest_at = case when t.filed_at is null then t.effective_at else latest_at end,
    settled_seq = case when p_settled then t.seq else settled_seq end,
    settled_posted = case when p_settled then t.balance_after else settled_posted end
  where account_id = a.account_id and unit = a.unit;
  return t;
end $$;
comment on function heller._post(heller.accounts, bigint, text, text, text, jsonb, text, jsonb, bigint, bigint, text, text, timestamptz, boolean) is
  'Writes one transaction and the account''s new totals. p_settled: the caller has laid this change over the grants itself.';
