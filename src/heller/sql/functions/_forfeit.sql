create or replace function heller._forfeit(a heller.accounts, p_at timestamptz) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  g record;
  t heller.transactions;
  v_held bigint := a.held;
  v_from bigint;
begin
  a := heller._settle(a);
  a.held := v_held;
  v_from := a.last_seq;
  for g in
    select f.grant_id, f.forfeit, case when s.ended_at is null then s.expires_at else p_at end as at
    from heller._grants_at(a, p_at) f cross join lateral (  -- each by its key: an account with years of grants has few that are left
      select * from heller.grants x where x.account_id = a.account_id and x.unit = a.unit and x.grant_id = f.grant_id offset 0) s
    where s.seq is not null and f.forfeit > 0 order by s.expires_at, f.grant_id
  loop
    t := heller._compose(a, -g.forfeit, 'expire', 'expired', 'heller', jsonb_build_object('grant', g.grant_id), null, null, null, null, null, null, g.at);
    insert into heller.transactions select t.*;
    perform heller._take(a.account_id, a.unit, g.grant_id, t.seq, a.posted, g.forfeit);
    a.posted := t.balance_after;
    a.last_seq := t.seq;
    a.head_hash := t.hash;
    if t.filed_at is null then a.latest_at := t.effective_at; end if;
  end loop;
  update heller.grants set ended_at = expires_at  -- what outlives its expiry for a hold
  where account_id = a.account_id and unit = a.unit and remaining > 0 and seq is not null and ended_at is null and expires_at <= p_at;
  if a.last_seq > v_from then  -- once for all of them: thousands of versions of one row would be slow
    a.version := a.version + a.last_seq - v_from;
    a.settled_seq := a.last_seq;
    a.settled_posted := a.posted;
    update heller.accounts set posted = a.posted, version = a.version, last_seq = a.last_seq, head_hash = a.head_hash,
      latest_at = a.latest_at, settled_seq = a.settled_seq, settled_posted = a.settled_posted
    where account_id = a.account_id and unit = a.unit;
  end if;
  return a;
end $$;
comment on function heller._forfeit(heller.accounts, timestamptz) is
  'Forfeits what is left of the grants that have expired, but for what open holds promise. a.held may be ahead of the stored row. _end_expired follows, once.';
