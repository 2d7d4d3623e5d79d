create or replace function heller._carry_in_payment(p_account_id text, p jsonb, p_system text) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  m heller.payments;
begin
  if p ? 'delivered' then  -- bought here, paid after its buyer had gone home: this side knows what it was
    select w.payment || p || jsonb_build_object('credits', w.payment -> 'sold', 'net_credits', p -> 'delivered') into p
    from heller.owed_purchases w where w.payment_key = p ->> 'payment_key';
    if p is null then return; end if;
  end if;
  perform heller._stripe_name_lock(p ->> 'intent', p ->> 'session');
  select * into m from heller.payments where payment_key = p ->> 'payment_key' for no key update;
  if not found then
    insert into heller.payments (payment_key, account_id, provider, payment_intent, checkout_session, amount, currency, credits,
                                 net_credits, state, source_system, source_table, source_id, created_at)
    values (p ->> 'payment_key', p_account_id, p ->> 'provider', p ->> 'intent', p ->> 'session', (p ->> 'amount')::bigint,
            p ->> 'currency', (p ->> 'credits')::bigint, (p ->> 'net_credits')::bigint, p ->> 'state',
            p_system, p ->> 'source_table', p ->> 'source_id', coalesce((p ->> 'at')::timestamptz, heller._clock()));
    return;
  end if;
  if m.account_id <> p_account_id then
    raise exception 'payment % belongs to account %', m.payment_key, m.account_id using errcode = 'HL015';
  end if;
  update heller.payments set
    credits = greatest(credits, (p ->> 'credits')::bigint), net_credits = (p ->> 'net_credits')::bigint, state = p ->> 'state',
    checkout_session = coalesce(checkout_session, p ->> 'session'), payment_intent = coalesce(payment_intent, p ->> 'intent'),
    source_system = coalesce(source_system, case when p ? 'delivered' then p_system end),
    source_table = coalesce(source_table, case when p ? 'delivered' then p ->> 'source_table' end),
    source_id = coalesce(source_id, case when p ? 'delivered' then p ->> 'source_id' end),
    version = version + 1, updated_at = heller._clock()
  where payment_key = m.payment_key
    and (credits, net_credits, state) is distinct from (greatest(credits, (p ->> 'credits')::bigint), (p ->> 'net_credits')::bigint, p ->> 'state');
end $$;
comment on function heller._carry_in_payment(text, jsonb, text) is 'Writes or brings up to date one payment of the legacy system.';
