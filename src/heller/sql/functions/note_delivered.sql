create or replace function heller.note_delivered(p_payment_key text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
  w heller.owed_purchases;
  o heller.orders;
  v_before text;
begin
  update heller.owed_purchases set delivered_at = clock_timestamp() where payment_key = p_payment_key and delivered_at is null returning * into w;
  if not found then
    return false;
  end if;
  select state into v_before from heller.orders where order_id = w.order_id for update;
  update heller.orders set state = 'paid', payment_key = coalesce(payment_key, p_payment_key), updated_at = clock_timestamp()
  where order_id = w.order_id returning * into o;
  perform heller._top_up_ended(v_before, o);
  update heller.discrepancies set state = 'healed', closed_at = clock_timestamp() where payment_key = p_payment_key and state = 'open' and kind = 'home_legacy';
  update heller.inbox set status = 'done', detail = format('%s credits were written into the legacy system.', w.credits), closed_at = clock_timestamp()
  where payment_key = p_payment_key and status = 'parked' and reason = 'home_legacy';
  return true;
end $$;
comment on function heller.note_delivered(text) is 'Notes that the legacy database has a purchase: its order is paid, its events are done.';
