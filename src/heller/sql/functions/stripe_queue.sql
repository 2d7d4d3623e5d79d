create or replace function heller.stripe_queue() returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select jsonb_build_object(
    'pending', (select count(*) from heller.inbox where status in ('pending', 'processing')),
    'oldest_seconds', (select extract(epoch from clock_timestamp() - min(received_at))::bigint from heller.inbox where status in ('pending', 'processing')),
    'parked', (select count(*) from heller.inbox where status = 'parked'),
    'dead', (select count(*) from heller.inbox where status = 'dead'),
    'newest', (select max(inbox_id) from heller.inbox),
    'last_delivery_at', (select delivered_at from heller.inbox where via = 'webhook' order by inbox_id desc limit 1),
    'reconciled_at', (select at from heller.stripe_marks where name = 'reconcile'),
    'healed_24h', (select count(*) from heller.discrepancies where state = 'healed' and found_at > clock_timestamp() - interval '24 hours'),
    'open_discrepancies', (select count(*) from heller.discrepancies where state = 'open'))
$$;
comment on function heller.stripe_queue() is 'The depth and age of the inbox, what waits for a person, and what reconcile had to heal: cheap enough to ask every second.';
