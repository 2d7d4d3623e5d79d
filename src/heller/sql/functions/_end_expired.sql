create or replace function heller._end_expired(a heller.accounts, p_at timestamptz) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  update heller.grants set ended_at = expires_at
  where account_id = a.account_id and unit = a.unit and seq is not null and ended_at is null and expires_at <= p_at;
end $$;
comment on function heller._end_expired(heller.accounts, timestamptz) is
  'Notes the end of the grants that have expired by an instant, used up or forfeited. Reads all grants of the account.';
