create or replace function heller.stripe_order(p_name text) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(o) from (
    select * from heller.orders where order_id = p_name
    union all select * from heller.orders where checkout_session = p_name
    union all select * from heller.orders where subscription = p_name limit 1) o
$$;
comment on function heller.stripe_order(text) is 'An order by its id, checkout session or subscription.';
