create or replace function heller.erase_user(p_user_id text, p_actor text, p_dry_run boolean default false) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := clock_timestamp();  -- Citus lets no update read a clock
  u heller.users;
  v_accounts text[];
  v_names integer;
  v_orders integer;
  v_payments integer;
  v_events integer := 0;
begin
  perform heller._check_text('actor', p_actor, 200);
  select * into u from heller.users where id = p_user_id for update;
  if not found then
    perform heller._fail('HL003', format('there is no user %s', p_user_id), jsonb_build_object('account', p_user_id));
  end if;
  v_accounts := array(select distinct account_id from heller.accounts where user_id = p_user_id order by account_id);
  if p_dry_run then
    select count(*) into v_names from heller.identities where user_id = p_user_id;
    return jsonb_build_object('user', p_user_id, 'accounts', v_accounts, 'erased_at', u.erased_at, 'dry_run', true,
      'names', v_names,
      'orders', (select count(*) from heller.orders where account_id = any (v_accounts)),
      'payments', (select count(*) from heller.payments where account_id = any (v_accounts)));
  end if;
  delete from heller.identities where user_id = p_user_id;
  get diagnostics v_names = row_count;
  update heller.accounts set metadata = null where user_id = p_user_id and metadata is not null;
  update heller.recurring_grants set ends_at = least(ends_at, v_now), metadata = null where account_id = any (v_accounts);
  update heller.orders set stripe_customer = null, session_url = null, metadata = null, actor = null where account_id = any (v_accounts);
  get diagnostics v_orders = row_count;
  update heller.payments set stripe_customer = null, snapshot = null where account_id = any (v_accounts);
  get diagnostics v_payments = row_count;
  select coalesce(sum(heller.stripe_erase(x.account_id, p_actor)), 0) into v_events from unnest(v_accounts) x (account_id);
  delete from heller.portal_sessions where user_id = p_user_id;
  update heller.users set metadata = null, erased_at = coalesce(erased_at, v_now), erased_by = coalesce(erased_by, p_actor)
  where id = p_user_id returning * into u;
  return jsonb_build_object('user', p_user_id, 'accounts', v_accounts, 'erased_at', u.erased_at, 'names', v_names, 'orders', v_orders,
                            'payments', v_payments, 'events', v_events, 'dry_run', false);
end $$;
comment on function heller.erase_user(text, text, boolean) is
  'Forgets who a person is: every name, what Stripe sent, what orders said; recurring grants end. The ledger stays, under ids that no longer lead to anybody; reasons and metadata of transactions are immutable, so nobody should write a name there.';
