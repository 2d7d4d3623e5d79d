create or replace function heller.stripe_health() returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select jsonb_build_object(
    'pending', (select count(*) from heller.inbox where status in ('pending', 'processing')),
    'oldest_pending_seconds', (select extract(epoch from clock_timestamp() - min(received_at))::bigint from heller.inbox where status in ('pending', 'processing')),
    'parked', (select count(*) from heller.inbox where status = 'parked'),
    'dead', (select count(*) from heller.inbox where status = 'dead'),
    'last_delivery_at', (select max(delivered_at) from heller.inbox where via = 'webhook' and received_at > clock_timestamp() - interval '35 days'),
    'deliveries_24h', (select count(*) from heller.inbox where via = 'webhook' and received_at > clock_timestamp() - interval '24 hours'),
    'missed_events_24h', (select count(*) from heller.inbox where via = 'reconcile' and received_at > clock_timestamp() - interval '24 hours'),
    'healed_24h', (select count(*) from heller.discrepancies where state = 'healed' and found_at > clock_timestamp() - interval '24 hours'),
    'open_discrepancies', (select count(*) from heller.discrepancies where state = 'open'),
    'api_versions', (select coalesce(jsonb_object_agg(v, n), '{}') from (select coalesce(api_version, 'none') as v, count(*) as n from heller.inbox
                     where via = 'webhook' and received_at > clock_timestamp() - interval '24 hours' group by 1) x),
    'outcomes_24h', (select coalesce(jsonb_object_agg(outcome, n), '{}') from (select outcome, sum(count) as n from heller.stripe_counts
                     where last_at > clock_timestamp() - interval '24 hours' group by 1) x),
    'drifted_payments', (select coalesce(jsonb_agg(payment_key), '[]') from heller._stripe_drifted(100)),
    'marks', (select coalesce(jsonb_object_agg(name, at), '{}') from heller.stripe_marks))
$$;
comment on function heller.stripe_health() is 'What the watch looks at: the queue, the last delivery, what reconcile had to heal, payments whose transactions do not add up.';
