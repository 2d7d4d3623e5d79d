create or replace function heller.unplaced_payments(p_limit integer default 500) returns table (payment_key text, names text[])
language sql stable security definer set search_path = pg_catalog as $$
  select x.payment_key, array_agg(distinct n.name) from (
    select i.payment_key from heller.inbox i
    where i.status = 'parked' and i.reason = 'no_order' and i.payment_key is not null and i.closed_at > clock_timestamp() - interval '4 days'
    union
    select d.payment_key from heller.discrepancies d
    where d.state = 'open' and d.kind in ('no_order', 'unbooked') and d.payment_key is not null
      and not exists (select from heller.payments p where p.payment_key = d.payment_key)
    order by 1 limit p_limit) x
  cross join lateral (
    select split_part(x.payment_key, '/', -1) as name
    union all select unnest(array[i.object_id, i.event_id]) from heller.inbox i where i.payment_key = x.payment_key) n
  where n.name is not null
  group by x.payment_key
$$;
comment on function heller.unplaced_payments(integer) is
  'Paid payments that nothing of ours explains, with every name Stripe has for them (intent, session, events): so that the legacy system can be asked. Stripe repeats itself for three days.';
