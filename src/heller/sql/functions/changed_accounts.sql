create or replace function heller.changed_accounts(p_since timestamptz, p_after text default '', p_limit integer default 1000) returns setof text
language sql stable security definer set search_path = pg_catalog as $$
  select distinct t.account_id from heller.transactions t where t.recorded_at >= p_since and t.account_id > p_after
  order by t.account_id limit least(greatest(p_limit, 1), 10000)
$$;
comment on function heller.changed_accounts(timestamptz, text, integer) is 'Accounts with a transaction recorded since an instant, by pages in id order.';
