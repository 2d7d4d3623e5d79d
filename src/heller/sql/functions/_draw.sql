create or replace function heller._draw(
  a heller.accounts, p_amount bigint, p_first_seq bigint, p_last_seq bigint, p_upper_balance bigint, p_payment_key text default null,
  p_live_first boolean default false
) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  g record;
  v_left bigint := p_amount;
  v_upper bigint := p_upper_balance;
  v_take bigint;
begin
  for g in
    select grant_id, remaining from heller.grants
    where account_id = a.account_id and unit = a.unit and remaining > 0
    order by coalesce(payment_key = p_payment_key, false) desc, p_live_first and ended_at is not null, priority, expires_at nulls last, (source = 'promotion') desc, grant_id
  loop
    exit when v_left = 0;
    v_take := least(v_left, g.remaining);
    insert into heller.draws (account_id, unit, last_seq, grant_id, first_seq, upper_balance, lower_balance, amount)
    values (a.account_id, a.unit, p_last_seq, g.grant_id, p_first_seq, v_upper, v_upper - v_take, v_take);
    update heller.grants set remaining = remaining - v_take
    where account_id = a.account_id and unit = a.unit and grant_id = g.grant_id;
    v_left := v_left - v_take;
    v_upper := v_upper - v_take;
  end loop;
  if v_left > 0 then
    update heller.accounts set uncovered = uncovered + v_left where account_id = a.account_id and unit = a.unit;
  end if;
end $$;
comment on function heller._draw(heller.accounts, bigint, bigint, bigint, bigint, text, boolean) is
  'Takes credits from the grants: a named payment''s first, then by priority, soonest expiry, promotion before paid, oldest. What no grant covers is uncovered (debt). p_live_first: grants that outlived their expiry for a hold last.';
