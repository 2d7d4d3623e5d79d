create or replace function heller.stay_homes(p_accounts text[]) returns void
language sql security definer set search_path = pg_catalog as $$
  update heller.accounts set draining_since = null where account_id = any (p_accounts) and draining_since is not null
$$;
comment on function heller.stay_homes(text[]) is 'Calls off a return that waits for open holds.';
