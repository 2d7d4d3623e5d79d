create or replace function heller.owed_purchases_of(p_limit integer default 500) returns table (payment_key text, account_id text, credits bigint, payment jsonb)
language sql stable security definer set search_path = pg_catalog as $$
  select w.payment_key, w.account_id, w.credits, w.payment from heller.owed_purchases w
  join heller.accounts a on a.account_id = w.account_id and a.unit = 'credit'
  where w.delivered_at is null and a.epoch % 2 = 0 order by w.noted_at limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.owed_purchases_of(integer) is 'Purchases that wait to be written into the legacy system, oldest first.';
