create or replace function heller.stripe_receive(p_events jsonb, p_bodies bytea[]) returns setof jsonb
language plpgsql security definer set search_path = pg_catalog as $$
begin
  return query
  insert into heller.inbox as i (stripe_account, livemode, event_id, type, api_version, event_created, body, body_sha256, via, secret_slot,
                                 object_kind, object_id, payment_key, status, reason, detail, closed_at)
  select e.stripe_account, e.livemode, e.event_id, e.type, e.api_version, e.event_created, e.body, sha256(e.body), e.via, e.secret_slot,
         e.object_kind, e.object_id, e.payment_key, e.status, e.reason, e.detail, case when e.status = 'ignored' then clock_timestamp() end
  from rows from (
    jsonb_to_recordset(p_events) as (stripe_account text, livemode boolean, event_id text, type text, api_version text, event_created timestamptz,
      via text, secret_slot smallint, object_kind text, object_id text, payment_key text, status text, reason text, detail text),
    unnest(p_bodies)
  ) as e (stripe_account, livemode, event_id, type, api_version, event_created, via, secret_slot, object_kind, object_id, payment_key, status,
          reason, detail, body)
  order by e.stripe_account, e.livemode, e.event_id  -- two calls lock what they share in one order
  on conflict (stripe_account, livemode, event_id) do update
    set deliveries = i.deliveries + case excluded.via when 'webhook' then 1 else 0 end,
        delivered_at = case excluded.via when 'webhook' then clock_timestamp() else i.delivered_at end
  returning jsonb_build_object('stripe_account', i.stripe_account, 'livemode', i.livemode, 'event_id', i.event_id, 'inbox_id', i.inbox_id,
                               'deliveries', i.deliveries, 'status', i.status, 'is_new', i.xmax = 0);
end $$;
comment on function heller.stripe_receive(jsonb, bytea[]) is
  'Puts deliveries into the inbox, each event at most once in one call; an event that is there already only counts.';
