create or replace function heller.confirm_returns(p_returns jsonb) returns void
language sql security definer set search_path = pg_catalog as $$
  update heller.homes h set returned_at = clock_timestamp(), quarantined_at = null, quarantine_reason = null, changed_at = clock_timestamp()
  from heller.accounts a, jsonb_to_recordset(p_returns) r (account text, epoch bigint)
  where h.account_id = r.account and a.account_id = r.account and a.unit = 'credit' and a.epoch = r.epoch and h.returned_at is null
$$;
comment on function heller.confirm_returns(jsonb) is
  'Notes that the legacy database has received its returns, so that route can say legacy instead of moving. For people and pacing; nothing of the protocol depends on it.';
