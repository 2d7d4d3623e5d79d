create or replace function heller.stripe_place_order(
  p_order_id text, p_account_id text, p_items jsonb, p_livemode boolean, p_kind text default 'checkout', p_key text default null,
  p_stripe_account text default '', p_customer text default null, p_allow_zero boolean default false, p_allow_promotion_codes boolean default false,
  p_automatic_tax boolean default false, p_lifetime_seconds integer default 86400, p_actor text default null, p_metadata jsonb default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  o heller.orders;
  s record;
  v_digest text := encode(sha256(convert_to(concat_ws('|', p_kind, p_items::text, p_livemode, p_stripe_account, p_metadata::text), 'utf8')), 'hex');
begin
  if p_key is not null then
    select * into o from heller.orders where account_id = p_account_id and idempotency_key = p_key;
    if found and o.request_digest <> v_digest then
      perform heller._fail('HL013', format('key %s was used for a different order: items was %s and is now %s', p_key, o.items, p_items),
                           jsonb_build_object('account', p_account_id, 'key', p_key, 'differs', 'items'));
    elsif found then
      return to_jsonb(o) || '{"replayed": true}';
    end if;
  end if;
  if jsonb_typeof(p_items) is distinct from 'array' or jsonb_array_length(p_items) not between 1 and 100 then
    perform heller._fail('HL001', 'items must be 1 to 100 objects with price and quantity', '{"argument": "items"}');
  end if;
  select count(*) as wanted, count(q.price) as known, bool_and(q.quantity between 1 and 999999) as quantities,
         count(distinct (q.unit, q.currency, q.period, q.carry, q.valid_days)) as kinds, min(q.unit) as unit, min(q.currency) as currency,
         min(q.period) as period, min(q.carry) as carry, min(q.valid_days) as valid_days, sum(q.credits * q.quantity) as credits,
         sum(q.amount * q.quantity) as amount, string_agg(q.quantity || ' x ' || q.pack, ', ' order by q.place) as words,
         min(case when q.price is null then q.name end) as missing,
         jsonb_agg(jsonb_build_object('price', q.price, 'quantity', q.quantity, 'credits', q.credits, 'amount', q.amount, 'product', q.product,
                                      'pack', q.pack, 'stripe_price', q.stripe_price) order by q.place) as items
  into s
  from (select i.place, i.item ->> 'price' as name, coalesce((i.item ->> 'quantity')::bigint, 1) as quantity, p.*
        from jsonb_array_elements(p_items) with ordinality i (item, place)
        left join heller.prices p on p.price = i.item ->> 'price' and p.active) q;
  if s.known < s.wanted then
    perform heller._fail('HL001', format('there is no active price %s', s.missing), '{"argument": "price"}');
  elsif not s.quantities then
    perform heller._fail('HL001', 'a quantity is not between 1 and 999999', '{"argument": "quantity"}');
  elsif s.kinds > 1 then
    perform heller._fail('HL001', 'the items of one order must share unit, currency, period and validity', '{"argument": "items"}');
  elsif (s.period is not null) <> (p_kind = 'subscription') then
    perform heller._fail('HL001', format('a price %s a period cannot be sold as %s', case when s.period is null then 'without' else 'with' end, p_kind),
                         '{"argument": "kind"}');
  elsif not exists (select from heller.accounts where account_id = p_account_id and unit = s.unit) then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, s.unit), jsonb_build_object('account', p_account_id));
  end if;
  insert into heller.orders (order_id, account_id, unit, kind, items, credits, amount, currency, period, carry, valid_days, allow_zero, allow_promotion_codes,
                             automatic_tax, livemode, stripe_account, stripe_customer, actor, metadata, idempotency_key, request_digest, expires_at)
  values (p_order_id, p_account_id, s.unit, p_kind, s.items, s.credits, s.amount, s.currency, s.period, s.carry, s.valid_days, p_allow_zero,
          p_allow_promotion_codes, p_automatic_tax, p_livemode, p_stripe_account, p_customer, p_actor,
          coalesce(p_metadata, '{}') || jsonb_build_object('reason', s.words), p_key, v_digest,
          clock_timestamp() + make_interval(secs => p_lifetime_seconds))
  on conflict do nothing returning * into o;
  if not found then
    if p_kind = 'top_up' and exists (select from heller.orders where account_id = p_account_id and unit = s.unit and kind = 'top_up'
                                     and state in ('open', 'processing', 'requires_action')) then
      perform heller._fail('HL012', format('a top-up of account %s is under way', p_account_id), '{"limit": "one_top_up"}');
    end if;
    return heller.stripe_place_order(p_order_id, p_account_id, p_items, p_livemode, p_kind, p_key, p_stripe_account, p_customer, p_allow_zero,
                                     p_allow_promotion_codes, p_automatic_tax, p_lifetime_seconds, p_actor, p_metadata);
  end if;
  return to_jsonb(o) || '{"replayed": false}';
end $$;
comment on function heller.stripe_place_order(text, text, jsonb, boolean, text, text, text, text, boolean, boolean, boolean, integer, text, jsonb) is
  'Writes down what a buyer is promised, before Stripe is asked. The same key answers the same order.';
