create or replace function heller.memberships_of(p_user_id text) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._member_result(row(m.*)::heller.members) || jsonb_build_object('available', heller._account_result(row(a.*)::heller.accounts) -> 'available', 'frozen', a.frozen_at is not null)
  from heller.members m join heller.accounts a using (account_id, unit)
  where m.member_id = p_user_id and m.left_at is null order by m.account_id, m.unit
$$;
comment on function heller.memberships_of(text) is 'The accounts of teams that a user may spend from, with their cap, what they spent of it and what the account has.';
