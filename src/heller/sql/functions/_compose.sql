create or replace function heller._compose(
  a heller.accounts, p_delta bigint, p_kind text, p_reason text, p_actor text, p_metadata jsonb, p_key text, p_request jsonb, p_related_seq bigint,
  p_hold_id bigint, p_payment_key text, p_counterparty text, p_effective_at timestamptz
) returns heller.transactions
language plpgsql set search_path = pg_catalog
set client_encoding = 'UTF8'  -- of the hash: record_send speaks the client's
as $$
declare
  t heller.transactions;
begin
  if a.posted::numeric + p_delta + a.overdraft_limit > 9223372036854775807 or a.posted::numeric + p_delta - a.held < -9223372036854775807 then
    perform heller._fail('HL012', format('account %s would hold more credits than can be counted', a.account_id),
                         jsonb_build_object('limit', 'bigint'));
  end if;
  t.account_id := a.account_id;
  t.unit := a.unit;
  t.seq := a.last_seq + 1;
  t.delta := p_delta;
  t.balance_after := a.posted + p_delta;
  t.kind := p_kind;
  t.reason := coalesce(p_reason, '');
  t.actor := p_actor;
  t.metadata := nullif(p_metadata, '{}');
  t.idempotency_key := p_key;
  t.request := p_request;
  t.related_seq := p_related_seq;
  t.hold_id := p_hold_id;
  t.payment_key := p_payment_key;
  t.counterparty := p_counterparty;
  t.recorded_at := heller._clock();
  t.effective_at := coalesce(p_effective_at, t.recorded_at);
  t.filed_at := heller._filed_at(a.latest_at, t.effective_at, t.recorded_at);
  t.hash := heller._transaction_hash(a.head_hash, t);
  return t;
end $$;
comment on function heller._compose(heller.accounts, bigint, text, text, text, jsonb, text, jsonb, bigint, bigint, text, text, timestamptz) is
  'The next transaction of an account, hash included; writes nothing.';
