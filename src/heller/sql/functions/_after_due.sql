create or replace function heller._after_due(a heller.accounts, out posted bigint, out held bigint)
language plpgsql stable parallel safe set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();
  v_arrived bigint;
  v_forfeit bigint;
begin
  select a.held - coalesce(sum(greatest(h.amount - h.captured, 0)), 0) into held from heller.holds h
  where h.account_id = a.account_id and h.unit = a.unit and h.state = 'open' and h.expires_at <= v_now;
  select coalesce(sum(g.amount) filter (where g.expires_at is null or g.expires_at > v_now), 0) into v_arrived from heller.grants g
  where g.account_id = a.account_id and g.unit = a.unit and g.seq is null and g.ended_at is null and g.available_at <= v_now;
  -- ended grants keep what spends since settled_seq have not used; greedy in burn-down order
  select coalesce(sum(g.remaining) filter (where g.expires_at <= v_now), 0)
         - coalesce(sum(least(g.remaining, greatest(a.settled_posted - a.posted - g.before, 0))) filter (where g.expires_at <= v_now), 0)
  into v_forfeit
  from (select r.remaining, r.expires_at,
               coalesce(sum(r.remaining) over (order by r.priority, r.expires_at nulls last, (r.source = 'promotion') desc, r.grant_id
                                               rows between unbounded preceding and 1 preceding), 0) as before
        from heller.grants r
        where r.account_id = a.account_id and r.unit = a.unit and r.remaining > 0) g;
  posted := a.posted + v_arrived - least(v_forfeit, greatest(a.posted + v_arrived - held, 0));
end $$;
comment on function heller._after_due(heller.accounts) is
  'posted and held as they will be once what is due is done. Reads only; _run_due does it.';
