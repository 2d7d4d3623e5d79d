create or replace function heller.stripe_claim(p_worker text, p_limit integer default 100, p_lease_seconds double precision default 120)
returns setof jsonb
language sql security definer set search_path = pg_catalog as $$
  with due as (
    select inbox_id, coalesce(payment_key, 'inbox:' || inbox_id) as key from heller.inbox
    where status in ('pending', 'processing') and due_at <= clock_timestamp()
    order by due_at, inbox_id limit p_limit for update skip locked
  ), same as (  -- whatever else waits for the same payment is answered by the same look at Stripe
    select i.inbox_id, i.payment_key as key from heller.inbox i
    where i.payment_key in (select key from due) and i.status = 'pending' and i.inbox_id not in (select inbox_id from due)
    limit p_limit for update skip locked
  ), claimed as (
    update heller.inbox i
    set status = 'processing', attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => p_lease_seconds), claimed_by = p_worker
    from (select * from due union all select * from same) w where i.inbox_id = w.inbox_id
    returning w.key, i.inbox_id, i.stripe_account, i.type, i.event_id, i.object_kind, i.object_id, i.payment_key, i.attempts, i.event_created
  )
  select jsonb_build_object('key', key, 'payment_key', min(payment_key), 'stripe_account', min(stripe_account), 'rows',
    jsonb_agg(jsonb_build_object('inbox_id', inbox_id, 'type', type, 'event_id', event_id, 'object_kind', object_kind,
                                 'object_id', object_id, 'attempts', attempts, 'event_created', event_created) order by inbox_id))
  from claimed group by key order by min(inbox_id)
$$;
comment on function heller.stripe_claim(text, integer, double precision) is
  'Takes due events of the inbox under a lease, one row per payment with all that waits for it. A lease that ends is claimed again.';
