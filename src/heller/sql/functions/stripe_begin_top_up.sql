create or replace function heller.stripe_begin_top_up(
  p_order_id text, p_account_id text, p_price text, p_threshold bigint, p_livemode boolean, p_unit text default 'credit', p_quantity integer default 1,
  p_ceiling bigint default null, p_ceiling_days integer default 30, p_cooldown_seconds integer default 300,
  p_lifetime_seconds integer default 3600, p_customer text default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  v_available bigint;
  v_amount bigint;
  v_spent bigint;
begin
  -- one decision at a time per account: what is counted below must not change meanwhile
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit for no key update;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  end if;
  v_available := (heller._account_result(a) ->> 'available')::bigint;
  select amount * p_quantity into v_amount from heller.prices where price = p_price and active and unit = p_unit and period is null;
  if not found then
    perform heller._fail('HL001', format('there is no active price %s of unit %s for one payment', p_price, p_unit), '{"argument": "price"}');
  elsif a.frozen_at is not null then
    return jsonb_build_object('declined', 'frozen');
  elsif a.epoch % 2 = 0 or a.draining_since is not null then  -- at home in the legacy system, or about to be: it could not be credited here
    return jsonb_build_object('declined', 'away');
  elsif v_available >= p_threshold then
    return jsonb_build_object('declined', 'enough', 'available', v_available);
  elsif exists (select from heller.orders where account_id = p_account_id and unit = p_unit and kind = 'top_up' and state in ('open', 'processing', 'requires_action')) then
    return jsonb_build_object('declined', 'under_way');
  elsif exists (select from heller.top_up_rules where account_id = p_account_id and unit = p_unit and paused_at is not null) then
    return jsonb_build_object('declined', 'paused');
  elsif exists (select from heller.orders where account_id = p_account_id and unit = p_unit and kind = 'top_up'
                and placed_at > clock_timestamp() - make_interval(secs => p_cooldown_seconds)) then
    return jsonb_build_object('declined', 'cooldown');
  end if;
  select coalesce(sum(amount), 0) into v_spent from heller.orders
  where account_id = p_account_id and unit = p_unit and kind = 'top_up' and state not in ('failed', 'canceled', 'expired')
    and placed_at > clock_timestamp() - make_interval(days => p_ceiling_days);
  if v_spent + v_amount > p_ceiling then
    return jsonb_build_object('declined', 'ceiling', 'spent', v_spent);
  end if;
  return heller.stripe_place_order(p_order_id, p_account_id, jsonb_build_array(jsonb_build_object('price', p_price, 'quantity', p_quantity)), p_livemode,
    p_kind => 'top_up', p_customer => p_customer, p_lifetime_seconds => p_lifetime_seconds, p_actor => 'top-up');
end $$;
comment on function heller.stripe_begin_top_up(text, text, text, bigint, boolean, text, integer, bigint, integer, integer, integer, text) is
  'Decides whether an account is topped up now: below the threshold, none under way, cooled down, not paused after failures, below the spend ceiling. Then places the order, which is also the lock.';
