create or replace view heller.transaction_log as
  select account_id, unit, seq, delta, balance_after, kind, reason, actor, metadata, idempotency_key, related_seq, hold_id, payment_key,
         counterparty, effective_at, recorded_at, source_system, source_table, source_id, encode(hash, 'hex') as hash
  from heller.transactions;
comment on view heller.transaction_log is 'Every transaction of every account.';
