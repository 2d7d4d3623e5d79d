create or replace view heller.grant_log as
  select account_id, unit, grant_id, seq, amount, remaining, source, priority, available_at, expires_at, ended_at, cost, currency,
         payment_key, reason, actor, metadata, granted_at
  from heller.grants;
comment on view heller.grant_log is 'Grants as stored: remaining is as of accounts.settled_seq; heller.grants_of() is exact.';
