create or replace function heller.accounts_of(p_user_id text) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._account_result(row(a.*)::heller.accounts) from heller.accounts a where a.user_id = p_user_id order by a.account_id, a.unit
$$;
comment on function heller.accounts_of(text) is 'The accounts of a user.';
