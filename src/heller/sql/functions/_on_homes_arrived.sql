create or replace function heller._on_homes_arrived(p_accounts text[]) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_keys text[];
  v_sessions text[];
begin
  select array_agg(k.key), array_agg(distinct k.session) filter (where k.session is not null) into v_keys, v_sessions from (
    select unnest(array[p.payment_key, p.payment_intent]) as key, case when p.payment_intent is null then p.checkout_session end as session
    from heller.payments p where p.account_id = any (p_accounts)
    union
    select unnest(array[o.payment_key, o.payment_intent]), case when o.payment_intent is null then o.checkout_session end
    from heller.orders o where o.account_id = any (p_accounts)
    union
    select l.payment_key, null from heller.legacy_purchases l where l.account_id = any (p_accounts)) k;
  delete from heller.legacy_purchases where account_id = any (p_accounts);
  delete from heller.owed_purchases where account_id = any (p_accounts) and delivered_at is null;  -- credited here, if the statement did not bring it
  if v_sessions is not null then
    -- known by its session only, because nothing was paid when it was begun; its events have the intent's key. A session lives a day, a retry three
    v_keys := v_keys || array(
      select i.payment_key from heller.inbox i
      where i.received_at > clock_timestamp() - interval '7 days' and i.object_id = any (v_sessions) and i.payment_key is not null);
  end if;
  update heller.inbox set status = 'pending', due_at = clock_timestamp(), closed_at = null, reason = null, detail = null
  where payment_key = any (v_keys)
    and (status = 'pending' and due_at > clock_timestamp() or status in ('ignored', 'parked')
         and reason in ('home_legacy', 'no_order', 'taken_back_before_credit', 'not_ours_unpaid'));
end $$;
comment on function heller._on_homes_arrived(text[]) is
  'Called inside the transaction that brings accounts home: deliveries of payments that waited for them, or that nobody here knew or owned, are due now.';
