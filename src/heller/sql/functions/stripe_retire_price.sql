create or replace function heller.stripe_retire_price(p_price text) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := clock_timestamp();  -- Citus lets no update read a clock
  n heller.prices;
begin
  update heller.prices set active = false, updated_at = v_now where price = p_price returning * into n;
  if not found then
    perform heller._fail('HL001', format('there is no price %s', p_price), '{"argument": "price"}');
  end if;
  return to_jsonb(n);
end $$;
comment on function heller.stripe_retire_price(text) is 'Sells it no more; orders that were placed keep what they promised.';
