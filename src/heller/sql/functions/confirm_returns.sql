create or replace function heller.confirm_returns(p_returns jsonb) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  perform heller._refuse_spread('users are returned');
  update heller.homes h set returned_at = v_now, quarantined_at = null, quarantine_reason = null, changed_at = v_now
  from heller.accounts a, jsonb_to_recordset(p_returns) r (account text, epoch bigint)
  where h.account_id = r.account and a.account_id = r.account and a.unit = 'credit' and a.epoch = r.epoch and h.returned_at is null;
end $$;
comment on function heller.confirm_returns(jsonb) is
  'Notes that the legacy database has received its returns, so that route can say legacy instead of moving. For people and pacing; nothing of the protocol depends on it.';
