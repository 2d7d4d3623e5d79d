create or replace function heller._carry_in(p_account_id text, e jsonb, p_system text) returns heller.accounts
language plpgsql set search_path = pg_catalog
set client_encoding = 'UTF8'  -- of the hash: record_send speaks the client's
as $$
declare
  a heller.accounts;
  b heller.accounts;
  t heller.transactions;
  v_settles boolean;
begin
  select * into a from heller.accounts where account_id = p_account_id and unit = 'credit';
  t.account_id := p_account_id;
  t.unit := 'credit';
  t.delta := (e ->> 'delta')::bigint;
  t.kind := e ->> 'kind';
  t.payment_key := e ->> 'payment_key';
  v_settles := t.delta > 0 or t.payment_key is not null;
  if v_settles then a := heller._settle(a); end if;
  t.seq := a.last_seq + 1;
  t.balance_after := a.posted + t.delta;
  t.reason := left(coalesce(e ->> 'reason', ''), 2000);
  t.actor := left(e ->> 'actor', 200);
  t.metadata := nullif(nullif(e -> 'metadata', 'null'), '{}');
  t.idempotency_key := e ->> 'idempotency_key';
  if t.idempotency_key is not null and exists (
    select from heller.transactions x where x.account_id = p_account_id and x.idempotency_key = t.idempotency_key) then
    t.idempotency_key := null;  -- a key belongs to the first row that carries it
  end if;
  t.recorded_at := heller._clock();
  t.effective_at := coalesce((e ->> 'at')::timestamptz, t.recorded_at);
  t.filed_at := heller._filed_at(a.latest_at, t.effective_at, t.recorded_at);
  t.source_system := p_system;
  t.source_table := e ->> 'source_table';
  t.source_id := e ->> 'source_id';
  t.hash := heller._transaction_hash(a.head_hash, t);
  insert into heller.transactions select t.*;
  update heller.accounts set
    posted = t.balance_after, version = version + 1, last_seq = t.seq, head_hash = t.hash,
    latest_at = case when t.filed_at is null then t.effective_at else latest_at end,
    settled_seq = case when v_settles then t.seq else settled_seq end,
    settled_posted = case when v_settles then t.balance_after else settled_posted end
  where account_id = p_account_id and unit = 'credit' returning * into b;
  if t.delta > 0 then
    perform heller._give(a, t.seq, t.delta, case t.kind when 'purchase' then 'purchase' when 'grant' then 'promotion'
                           when 'migrate' then 'migration' else 'adjustment' end, t.reason,
                         p_cost => coalesce((e ->> 'cost')::bigint, 0), p_currency => e ->> 'currency', p_payment_key => t.payment_key,
                         p_actor => t.actor, p_granted_at => t.effective_at);
  elsif v_settles then
    perform heller._draw(a, -t.delta, t.seq, t.seq, a.posted, t.payment_key);
  end if;
  return b;
end $$;
comment on function heller._carry_in(text, jsonb, text) is
  'Writes one row of the legacy history as a transaction, with its provenance. Spends wait to be laid over the grants like heller''s own.';
