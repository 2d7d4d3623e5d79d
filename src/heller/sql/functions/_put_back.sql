create or replace function heller._put_back(a heller.accounts, o heller.transactions, t heller.transactions, p_before bigint, p_revive boolean)
returns void
language plpgsql set search_path = pg_catalog as $$
declare
  d record;
  v_debt bigint := least(a.uncovered, t.delta);
  v_skip bigint := p_before + v_debt;
  v_left bigint := t.delta - v_debt;
  v_part bigint;
  v_upper bigint := t.balance_after;
begin
  -- debt first: while spends stand uncovered no grant can hold credits
  update heller.accounts set uncovered = uncovered - v_debt where account_id = a.account_id and unit = a.unit;
  -- then backwards through what paid (uncovered credits last paid, so first back), past what earlier parts and the debt took
  for d in select w.amount, w.grant_id, g.amount - g.remaining as room,
                  (p_revive and g.expires_at <= t.recorded_at) or (g.ended_at is not null and g.ended_at is distinct from g.expires_at) as is_ended
           from heller._drawn(a, o) w
           left join heller.grants g on g.account_id = a.account_id and g.unit = a.unit and g.grant_id = w.grant_id
           order by w.place desc loop
    exit when v_left = 0;
    v_part := least(d.amount - least(v_skip, d.amount), v_left);
    v_skip := v_skip - least(v_skip, d.amount);
    continue when v_part = 0 or d.grant_id is null or d.is_ended;
    v_part := least(v_part, d.room);
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
  'Puts credits back into the grants they were drawn from, newest draw first; debt is paid first, and what belonged to an ended grant, or to no grant, becomes a grant without expiry.';
