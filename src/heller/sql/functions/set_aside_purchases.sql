create or replace function heller.set_aside_purchases(p_found jsonb) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_keys text[];
begin
  perform heller._refuse_spread('users are moved here');
  with noted as (
    insert into heller.legacy_purchases (payment_key, account_id, source_table, source_id)
    select f.payment_key, f.account, f."table", f.id from jsonb_to_recordset(p_found) f (payment_key text, account text, "table" text, id text)
    left join heller.accounts a on a.account_id = f.account and a.unit = 'credit'
    where (a.epoch is null or a.epoch % 2 = 0) and not exists (select from heller.payments p where p.payment_key = f.payment_key)
    on conflict (payment_key) do update set account_id = excluded.account_id, source_table = excluded.source_table, source_id = excluded.source_id
    returning payment_key
  )
  select array_agg(payment_key) into v_keys from noted;
  update heller.inbox set status = 'ignored', reason = 'home_legacy', detail = 'The legacy system sold it; its own handler credits it.',
                          closed_at = clock_timestamp()
  where payment_key = any (v_keys) and status = 'parked' and reason = 'no_order';
  update heller.discrepancies set state = 'closed', note = 'The legacy system sold it; its own handler credits it.', actor = 'heller',
                                  closed_at = clock_timestamp()
  where payment_key = any (v_keys) and state = 'open' and kind in ('no_order', 'unbooked');
  return coalesce(cardinality(v_keys), 0);
end $$;
comment on function heller.set_aside_purchases(jsonb) is
  'Notes payments as sold by the legacy system to users at home there, and ends what waited for a person because of them. The caller holds the users'' fence rows, so that none of them can move meanwhile.';
