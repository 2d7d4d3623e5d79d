create or replace function heller.stripe_put_price(
  p_price text, p_product text, p_pack text, p_credits bigint, p_currency text, p_amount bigint, p_unit text default 'credit',
  p_period text default null, p_carry text default null, p_valid_days integer default null, p_stripe_price text default null, p_metadata jsonb default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := clock_timestamp();  -- Citus lets no update read a clock
  o heller.prices;
  n heller.prices;
  v_differs text;
begin
  perform heller._check_text('price', p_price, 100);
  perform heller._check_text('product', p_product, 200);
  perform heller._check_text('pack', p_pack, 200);
  if p_credits is null or p_credits < 1 then
    perform heller._fail('HL001', 'credits must be at least 1', '{"argument": "credits"}');
  elsif p_amount is null or p_amount < 0 then
    perform heller._fail('HL001', 'amount is in minor units and not negative', '{"argument": "amount"}');
  elsif lower(p_currency) !~ '^[a-z]{3}$' then
    perform heller._fail('HL001', format('currency %s is not three letters', p_currency), '{"argument": "currency"}');
  elsif p_period not in ('day', 'week', 'month', 'year') or (p_period is null) <> (p_carry is null) or p_carry not in ('roll_over', 'expire') then
    perform heller._fail('HL001', 'a period is day, week, month or year, with carry roll_over or expire', '{"argument": "period"}');
  elsif p_valid_days < 1 then
    perform heller._fail('HL001', 'valid_days must be at least 1', '{"argument": "valid_days"}');
  elsif exists (select from heller.prices where stripe_price = p_stripe_price and price <> p_price) then
    perform heller._fail('HL001', format('stripe_price %s is that of another price', p_stripe_price), '{"argument": "stripe_price"}');
  end if;
  insert into heller.prices (price, product, pack, credits, unit, currency, amount, period, carry, valid_days, stripe_price, metadata)
  values (p_price, p_product, p_pack, p_credits, p_unit, lower(p_currency), p_amount, p_period, p_carry, p_valid_days, p_stripe_price, nullif(p_metadata, '{}'))
  on conflict (price) do nothing returning * into n;
  if found then return to_jsonb(n) || '{"is_new": true}'; end if;
  select * into o from heller.prices where price = p_price for update;
  v_differs := case when o.credits <> p_credits then 'credits' when o.amount <> p_amount then 'amount' when o.currency <> lower(p_currency) then 'currency'
                    when o.unit <> p_unit then 'unit' when o.period is distinct from p_period then 'period'
                    when o.stripe_price <> p_stripe_price then 'stripe_price' end;
  if v_differs is not null then
    perform heller._fail('HL001', format('price %s exists with another %s; retire it and add one with a new name', p_price, v_differs),
                         jsonb_build_object('argument', v_differs));
  end if;
  update heller.prices set product = p_product, pack = p_pack, carry = p_carry, valid_days = p_valid_days, active = true,
    stripe_price = coalesce(p_stripe_price, stripe_price), metadata = coalesce(nullif(p_metadata, '{}'), metadata), updated_at = v_now
  where price = p_price returning * into n;
  return to_jsonb(n) || '{"is_new": false}';
end $$;
comment on function heller.stripe_put_price(text, text, text, bigint, text, bigint, text, text, text, integer, text, jsonb) is
  'Adds a price, or brings its words up to date. What it costs and gives never changes under one name.';
