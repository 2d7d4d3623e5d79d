create or replace function heller._request_of_grant(g heller.grants) returns jsonb
language sql stable parallel safe set search_path = pg_catalog as $$
  select jsonb_build_object('verb', 'grant', 'unit', (g).unit, 'amount', (g).amount, 'reason', (g).reason, 'metadata', (g).metadata)
         || heller._grant_options((g).source, (g).priority, (g).available_at, (g).expires_at, (g).cost, (g).currency, (g).payment_key)
$$;
comment on function heller._request_of_grant(heller.grants) is 'The request that made a grant, as far as it identifies the intent.';
