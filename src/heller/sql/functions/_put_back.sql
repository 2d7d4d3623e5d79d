create or replace function heller._put_back(a heller.accounts, o heller.transactions, t heller.transactions, p_before bigint, p_revive boolean)
returns void
language plpgsql set search_path = pg_catalog as $$
declare
  d record;
  v_skip bigint := p_before;
  v_left bigint := t.delta;
  v_part bigint;
  v_debt bigint := least(a.uncovered, t.delta);
  v_upper bigint := t.balance_after;
begin
  -- debt first: while spends stand uncovered no grant can hold credits
  update heller.accounts set uncovered = uncovered - v_debt where account_id = a.account_id and unit = a.unit;
  v_left := v_left - v_debt;
  -- then backwards through the grants that paid, past what earlier parts already gave back
  for d in select * from heller._drawn(a, o) where grant_id is not null order by place desc loop
    exit when v_left = 0;
    v_part := d.amount - least(v_skip, d.amount);
    v_skip := v_skip - least(v_skip, d.amount);
    v_part := least(v_part, v_left);
    continue when v_part = 0;
    if p_revive and (select ended_at is not null or expires_at <= t.recorded_at from heller.grants
                     where account_id = a.account_id and unit = a.unit and grant_id = d.grant_id) then
      continue;
    end if;
    v_part := least(v_part, (select amount - remaining from heller.grants where account_id = a.account_id and unit = a.unit and grant_id = d.grant_id));
    continue when v_part = 0;
    perform heller._take(a.account_id, a.unit, d.grant_id, t.seq, v_upper, -v_part);
    v_upper := v_upper - v_part;
    v_left := v_left - v_part;
  end loop;
  if v_left > 0 then
    a.uncovered := 0;
    perform heller._give(a, t.seq, v_left, 'adjustment', 'returned credits', p_payment_key => o.payment_key, p_granted_at => t.recorded_at);
  end if;
end $$;
comment on function heller._put_back(heller.accounts, heller.transactions, heller.transactions, bigint, boolean) is
  'Puts credits back into the grants they were drawn from, newest draw first; debt is paid first, and what belonged to an ended grant becomes a grant without expiry.';
