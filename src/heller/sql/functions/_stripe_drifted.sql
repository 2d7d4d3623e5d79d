create or replace function heller._stripe_drifted(p_limit integer default 100) returns table (payment_key text, account_id text, net_credits bigint, ledger bigint)
language sql stable set search_path = pg_catalog as $$
  select p.payment_key, p.account_id, p.net_credits, coalesce(s.ledger, 0)
  from heller.payments p left join (
    select t.account_id, t.unit, t.payment_key, sum(t.delta)::bigint as ledger from heller.transactions t
    where t.payment_key is not null group by t.account_id, t.unit, t.payment_key) s using (account_id, unit, payment_key)
  where p.provider = 'stripe' and p.source_system is null and coalesce(s.ledger, 0) <> p.net_credits + p.forgiven_credits
  limit p_limit
$$;
comment on function heller._stripe_drifted(integer) is 'Payments whose transactions do not sum to what stands of them: must be none.';
