create or replace function heller._stripe_drifted(p_limit integer default 100) returns table (payment_key text, account_id text, net_credits bigint, ledger bigint)
language sql stable set search_path = pg_catalog as $$
  select p.payment_key, p.account_id, p.net_credits, s.ledger
  from heller.payments p
  cross join lateral (select coalesce(sum(t.delta), 0)::bigint as ledger from heller.transactions t
                      where t.account_id = p.account_id and t.unit = p.unit and t.payment_key = p.payment_key) s
  where p.provider = 'stripe' and p.source_system is null and s.ledger <> p.net_credits + p.forgiven_credits
  limit p_limit
$$;
comment on function heller._stripe_drifted(integer) is 'Payments whose transactions do not sum to what stands of them: must be none.';
