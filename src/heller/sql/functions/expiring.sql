create or replace function heller.expiring(p_before timestamptz, p_account_id text default null, p_limit integer default 1000, p_after text default '')
returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  with page as (
    select distinct a.account_id from heller.accounts a
    where a.next_due_at < p_before and (p_account_id is null or a.account_id = p_account_id) and a.account_id > p_after
      and heller._has_expiring(row(a.*)::heller.accounts, p_before)
    order by a.account_id limit least(greatest(p_limit, 1), 1000))
  select heller._grant_result(row(g.*)::heller.grants) || jsonb_build_object('remaining', n.remaining)
  from page p join heller.accounts a on a.account_id = p.account_id and a.next_due_at < p_before,
    lateral heller._grants_at(row(a.*)::heller.accounts, heller._clock()) n
    join lateral heller._grants_known(row(a.*)::heller.accounts) g on g.grant_id = n.grant_id
  where g.expires_at < p_before and n.remaining > 0
  order by a.account_id, a.unit, g.expires_at, g.grant_id
$$;
comment on function heller.expiring(timestamptz, text, integer, text) is
  'Grants that expire before an instant and what is left of each now, of up to p_limit accounts (all units of the last); the next page starts after the last account.';
