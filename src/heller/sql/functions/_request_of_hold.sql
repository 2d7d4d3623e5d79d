create or replace function heller._request_of_hold(h heller.holds) returns jsonb
language sql stable parallel safe set search_path = pg_catalog as $$
  select jsonb_build_object('verb', 'hold', 'unit', (h).unit, 'amount', (h).amount, 'reason', (h).reason, 'metadata', (h).metadata,
                            'overrun_limit', nullif((h).overrun_limit, 0)) || coalesce((h).request, '{}')
$$;
comment on function heller._request_of_hold(heller.holds) is 'The request that placed a hold, as far as it identifies the intent.';
