create or replace function heller._recurring_grant_result(r heller.recurring_grants) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select jsonb_build_object('account', (r).account_id, 'unit', (r).unit, 'name', (r).name, 'amount', (r).amount, 'period', (r).period,
    'anchor', (r).anchor, 'time_zone', (r).time_zone, 'rollover', (r).rollover, 'expires', (r).expires, 'source', (r).source,
    'priority', (r).priority, 'cost', (r).cost, 'currency', (r).currency, 'reason', (r).reason, 'metadata', (r).metadata,
    'next_at', case when n.next_at < coalesce((r).ends_at, 'infinity') then n.next_at end, 'ends_at', (r).ends_at, 'created_at', (r).created_at)
  from (select case when (r).next_at > c.now then (r).next_at
                    else heller._period_boundary((r).anchor, (r).time_zone, (r).period,
                                                 heller._period_number((r).anchor, (r).time_zone, (r).period, c.now) + 1) end as next_at
        from heller._clock() c (now)) n
$$;
comment on function heller._recurring_grant_result(heller.recurring_grants) is
  'A recurring grant as it stands at this instant; next_at is null when no further period begins.';
