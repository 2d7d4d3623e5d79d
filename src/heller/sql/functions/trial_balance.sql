create or replace function heller.trial_balance() returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  with kinds as (
    select unit, kind, sum(delta) as total, sum(delta) filter (where kind = 'transfer' and counterparty is not null) as moved
    from heller.transactions group by unit, kind
  ), accounts as (
    select unit, sum(posted) as total, count(*) as n from heller.accounts group by unit
  )
  select jsonb_build_object(
    'difference', coalesce((select sum(abs(coalesce(a.total, 0) - coalesce(k.total, 0)))
      from accounts a full join (select unit, sum(total) as total from kinds group by unit) k using (unit)), 0)
      + coalesce((select sum(abs(moved)) from kinds), 0),
    'units', coalesce((select jsonb_object_agg(a.unit, jsonb_build_object('accounts', a.total,
        'kinds', (select coalesce(jsonb_object_agg(k.kind, -k.total), '{}') from kinds k where k.unit = a.unit))) from accounts a), '{}'))
$$;
comment on function heller.trial_balance() is
  'All accounts plus all kinds per unit: the kinds are the other side of each entry, so the difference is 0. Transfers between accounts sum to 0 among themselves.';
