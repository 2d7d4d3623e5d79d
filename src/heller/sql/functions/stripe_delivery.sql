create or replace function heller.stripe_delivery(p_inbox_id bigint) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(i) - 'body' - 'body_sha256' || jsonb_build_object('body', encode(i.body, 'base64'), 'sha256', encode(i.body_sha256, 'hex'),
    'payment', heller.stripe_payment(i.payment_key))
  from heller.inbox i where inbox_id = p_inbox_id
$$;
comment on function heller.stripe_delivery(bigint) is 'One event as it came (body in base64), and the payment it belongs to.';
