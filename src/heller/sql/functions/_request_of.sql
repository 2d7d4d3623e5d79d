create or replace function heller._request_of(t heller.transactions) returns jsonb
language sql stable parallel safe set search_path = pg_catalog as $$
  select jsonb_build_object('verb', case when (t).kind in ('purchase', 'migrate') then 'grant' else (t).kind end, 'unit', (t).unit,
                            'amount', case (t).kind when 'adjust' then (t).delta else abs((t).delta) end,
                            'reason', (t).reason, 'metadata', (t).metadata)
         || coalesce((t).request - 'result', '{}')
$$;
comment on function heller._request_of(heller.transactions) is 'The request that wrote a transaction, as far as it identifies the intent.';
