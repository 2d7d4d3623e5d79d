create or replace function heller._forfeit_grant(a heller.accounts, p_grant_id bigint, p_amount bigint, p_at timestamptz) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  t heller.transactions;
  v_held bigint := a.held;
begin
  t := heller._post(a, -p_amount, 'expire', 'expired', 'heller', jsonb_build_object('grant', p_grant_id), p_effective_at => p_at, p_settled => true);
  perform heller._take(a.account_id, a.unit, p_grant_id, t.seq, a.posted, p_amount);
  select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
  a.held := v_held;
  return a;
end $$;
comment on function heller._forfeit_grant(heller.accounts, bigint, bigint, timestamptz) is
  'Forfeits credits of one grant of a settled account. a.held may be ahead of the stored row.';
