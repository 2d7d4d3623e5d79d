create or replace function heller.stripe_prices(p_all boolean default false) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(p) from heller.prices p where active or p_all order by active desc, product, unit, currency, amount, price
$$;
comment on function heller.stripe_prices(boolean) is 'What can be bought; with p_all what was sold earlier, too.';
