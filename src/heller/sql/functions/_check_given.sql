create or replace function heller._check_given(p_source text, p_priority integer, p_cost bigint, p_currency text) returns void
language plpgsql immutable set search_path = pg_catalog as $$
begin
  if p_source is null or p_source not in ('purchase', 'promotion', 'subscription', 'adjustment', 'migration') then
    perform heller._fail('HL001', format('source %s is not one of purchase, promotion, subscription, adjustment, migration', p_source), '{"argument": "source"}');
  elsif p_priority is null then
    perform heller._fail('HL001', 'priority is missing; smaller burns first, 100 is usual', '{"argument": "priority"}');
  elsif p_cost is null or p_cost < 0 or (p_cost > 0 and p_currency is null) then
    perform heller._fail('HL001', 'cost must not be negative and needs a currency', '{"argument": "cost"}');
  end if;
  perform heller._check_text('currency', p_currency, 3, false);
end $$;
comment on function heller._check_given(text, integer, bigint, text) is 'The checks of what is said of credits that are given.';
