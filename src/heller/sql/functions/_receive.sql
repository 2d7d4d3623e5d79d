create or replace function heller._receive(b heller.accounts, u heller.transactions, a heller.accounts, t heller.transactions) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  d record;
  v_covered bigint := 0;
begin
  for d in
    select g.source, g.priority, g.expires_at, g.currency, sum(w.amount)::bigint as amount,
           sum(heller._worth(row(g.*)::heller.grants, g.amount - g.remaining) - heller._worth(row(g.*)::heller.grants, g.amount - g.remaining - w.amount))::bigint as cost
    from heller.draws w join heller.grants g using (account_id, unit, grant_id)
    where w.account_id = a.account_id and w.unit = a.unit and w.last_seq = t.seq
    group by g.source, g.priority, g.expires_at, g.currency
    order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.source, g.currency
  loop
    perform heller._give(b, u.seq, d.amount, d.source, u.reason, d.priority, d.expires_at, d.cost, d.currency, p_granted_at => u.recorded_at);
    b.uncovered := b.uncovered - least(b.uncovered, d.amount);
    v_covered := v_covered + d.amount;
  end loop;
  if v_covered < u.delta then  -- sent on the giver's overdraft
    perform heller._give(b, u.seq, u.delta - v_covered, 'adjustment', u.reason, p_granted_at => u.recorded_at);
  end if;
end $$;
comment on function heller._receive(heller.accounts, heller.transactions, heller.accounts, heller.transactions) is
  'Makes grants at the taker out of what the giver''s grants gave.';
