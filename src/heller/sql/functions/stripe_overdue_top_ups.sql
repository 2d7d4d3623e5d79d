create or replace function heller.stripe_overdue_top_ups(p_at timestamptz, p_after text default '', p_limit integer default 100) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(o) from heller.orders o
  where kind = 'top_up' and state in ('open', 'requires_action') and expires_at <= p_at and order_id > p_after
  order by order_id limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.stripe_overdue_top_ups(timestamptz, text, integer) is
  'Automatic top-ups whose time is over and whose payment is neither paid, cancelled nor with the bank, by order id; the next page is after the last one.';
