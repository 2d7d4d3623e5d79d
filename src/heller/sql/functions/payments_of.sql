create or replace function heller.payments_of(
  p_account_id text, p_unit text default 'credit', p_before text default null, p_limit integer default 100
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  b heller.payments;
begin
  if p_before is not null then
    select * into b from heller.payments where payment_key = p_before and account_id = p_account_id and unit = p_unit;
    if not found then
      perform heller._fail('HL001', format('before is %s, which is no payment of %s', p_before, p_account_id), '{"argument": "before"}');
    end if;
  end if;
  return query
    select jsonb_build_object('payment', p.payment_key, 'order', p.order_id, 'kind', o.kind, 'items', coalesce(o.items, '[]'), 'credits', p.credits,
      'net_credits', p.net_credits, 'paid', case when p.source_system is null then p.paid else greatest(p.paid, p.amount) end, 'taken_back', p.taken_back, 'currency', p.currency, 'state', p.state,
      'payment_intent', p.payment_intent, 'stripe_account', p.stripe_account, 'created_at', p.created_at)
    from heller.payments p left join heller.orders o using (order_id)
    where p.account_id = p_account_id and p.unit = p_unit and p.state not in ('open', 'processing', 'failed', 'canceled')
      and (p_before is null or (p.created_at, p.payment_key) < (b.created_at, b.payment_key))
    order by p.created_at desc, p.payment_key desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.payments_of(text, text, text, integer) is
  'What was paid for an account''s credits and for which order, newest first, without what is unpaid; the next page is before the last one''s payment key.';
