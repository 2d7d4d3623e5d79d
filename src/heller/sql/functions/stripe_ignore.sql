create or replace function heller.stripe_ignore(p_inbox_id bigint, p_actor text, p_reason text) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  i heller.inbox;
begin
  perform heller._check_text('actor', p_actor, 200);
  perform heller._check_text('reason', p_reason, 500);
  update heller.inbox set status = 'ignored', actor = p_actor, detail = p_reason, reason = 'by_hand', closed_at = clock_timestamp()
  where inbox_id = p_inbox_id and status in ('pending', 'parked', 'dead') returning * into i;
  if not found then
    perform heller._fail('HL001', format('delivery %s does not wait for anybody', p_inbox_id), '{"argument": "inbox_id"}');
  end if;
  return to_jsonb(i) - 'body' - 'body_sha256';
end $$;
comment on function heller.stripe_ignore(bigint, text, text) is 'A person decides that nothing is to be done about a delivery.';
