create or replace function heller._is_sold_in_legacy(p_payment_key text) returns boolean
language sql stable set search_path = pg_catalog as $$
  select exists (
    select from (select account_id from heller.legacy_purchases where payment_key = p_payment_key
                 union all select account_id from heller.payments where payment_key = p_payment_key and source_system is not null) l
    left join heller.accounts a on a.account_id = l.account_id and a.unit = 'credit'
    where a.epoch is null or a.epoch % 2 = 0)
$$;
comment on function heller._is_sold_in_legacy(text) is 'Whether the legacy system sold a payment, to a user who is at home there: it is that one''s to credit.';
