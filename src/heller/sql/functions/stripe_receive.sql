create or replace function heller.stripe_receive(
  p_event_id text, p_type text, p_livemode boolean, p_body bytea, p_stripe_account text default '', p_api_version text default null,
  p_event_created timestamptz default null, p_via text default 'webhook', p_secret_slot integer default null,
  p_object_kind text default null, p_object_id text default null, p_payment_key text default null,
  p_status text default 'pending', p_reason text default null, p_detail text default null
) returns jsonb
language sql security definer set search_path = pg_catalog as $$
  insert into heller.inbox as i (stripe_account, livemode, event_id, type, api_version, event_created, body, body_sha256, via, secret_slot,
                                 object_kind, object_id, payment_key, status, reason, detail, closed_at)
  values (p_stripe_account, p_livemode, p_event_id, p_type, p_api_version, p_event_created, p_body, sha256(p_body), p_via, p_secret_slot,
          p_object_kind, p_object_id, p_payment_key, p_status, p_reason, p_detail, case when p_status = 'ignored' then clock_timestamp() end)
  on conflict (stripe_account, livemode, event_id) do update
    set deliveries = i.deliveries + case p_via when 'webhook' then 1 else 0 end,
        delivered_at = case p_via when 'webhook' then clock_timestamp() else i.delivered_at end
  returning jsonb_build_object('inbox_id', inbox_id, 'deliveries', deliveries, 'status', status, 'is_new', xmax = 0)
$$;
comment on function heller.stripe_receive(text, text, boolean, bytea, text, text, timestamptz, text, integer, text, text, text, text, text, text) is
  'Puts one delivery into the inbox; the same event again only counts.';
