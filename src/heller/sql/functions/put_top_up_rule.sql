create or replace function heller.put_top_up_rule(
  p_account_id text, p_threshold bigint, p_price text, p_quantity integer default 1, p_ceiling bigint default null, p_ceiling_days integer default 30,
  p_cooldown_seconds integer default 300, p_failures_max integer default 3, p_unit text default 'credit'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  r heller.top_up_rules;
begin
  perform heller._check_amount('threshold', p_threshold), heller._check_amount('quantity', p_quantity), heller._check_text('price', p_price, 200),
    heller._check_amount('ceiling_days', p_ceiling_days), heller._check_amount('failures_max', p_failures_max);
  if p_ceiling is not null then perform heller._check_amount('ceiling', p_ceiling); end if;
  if p_cooldown_seconds is null or p_cooldown_seconds < 0 then
    perform heller._fail('HL001', 'cooldown_seconds must be at least 0', '{"argument": "cooldown_seconds"}');
  end if;
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  insert into heller.top_up_rules (account_id, unit, threshold, price, quantity, ceiling, ceiling_days, cooldown_seconds, failures_max, created_at)
  values (p_account_id, p_unit, p_threshold, p_price, p_quantity, p_ceiling, p_ceiling_days, p_cooldown_seconds, p_failures_max, heller._clock())
  on conflict (account_id, unit) do update set threshold = excluded.threshold, price = excluded.price, quantity = excluded.quantity,
    ceiling = excluded.ceiling, ceiling_days = excluded.ceiling_days, cooldown_seconds = excluded.cooldown_seconds, failures_max = excluded.failures_max
  returning * into r;
  return heller._top_up_rule_result(r);
end $$;
comment on function heller.put_top_up_rule(text, bigint, text, integer, bigint, integer, integer, integer, text) is
  'Lets an account buy p_quantity of p_price when available falls below p_threshold; p_ceiling is the most money (minor units) in p_ceiling_days.';
