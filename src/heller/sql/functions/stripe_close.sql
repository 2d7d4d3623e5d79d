create or replace function heller.stripe_close(
  p_inbox_ids jsonb, p_status text, p_reason text default null, p_detail text default null, p_payment_key text default null
) returns integer
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_count integer;
begin
  if p_status not in ('done', 'ignored', 'parked') then
    perform heller._fail('HL001', format('status %s is not one of done, ignored, parked', p_status), '{"argument": "status"}');
  end if;
  update heller.inbox set status = p_status, reason = p_reason, detail = left(p_detail, 2000), closed_at = clock_timestamp(),
                          payment_key = coalesce(p_payment_key, payment_key)
  where inbox_id in (select value::bigint from jsonb_array_elements_text(p_inbox_ids)) and status in ('pending', 'processing');
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function heller.stripe_close(jsonb, text, text, text, text) is 'Ends claimed events without an effect of their own: done, ignored, or parked for a person.';
