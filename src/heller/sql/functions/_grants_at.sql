create or replace function heller._grants_at(a heller.accounts, p_at timestamptz)
returns table (grant_id bigint, remaining bigint, forfeit bigint)
language sql stable set search_path = pg_catalog as $$
  with stored as (  -- what spends since settled_seq have not used, greedy in burn-down order
    select g.grant_id, g.priority, g.expires_at, g.source, g.remaining as whole,
           coalesce(sum(g.remaining) over (order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.grant_id
                                           rows between unbounded preceding and 1 preceding), 0) as before
    from heller.grants g
    where g.account_id = (a).account_id and g.unit = (a).unit and g.remaining > 0
  ), owed as (
    select (a).uncovered + greatest((a).settled_posted - (a).posted - coalesce(sum(whole), 0), 0) as debt from stored
  ), present as (
    select grant_id, priority, expires_at, source, whole - least(whole, greatest((a).settled_posted - (a).posted - before, 0)) as rest
    from stored
    union all
    select g.grant_id, g.priority, g.expires_at, g.source,  -- arriving by p_at; debt is paid first
           g.amount - least(g.amount, greatest(owed.debt - coalesce(sum(g.amount) over (
             order by g.available_at, g.grant_id rows between unbounded preceding and 1 preceding), 0), 0))
    from (select s.* from heller.grants s
          where s.account_id = (a).account_id and s.unit = (a).unit and s.seq is null and s.ended_at is null and s.available_at <= p_at
          union all
          select d.* from heller._recurring_due(a, p_at) d) g cross join owed
  ), promised as (
    select (a).held - coalesce(sum(greatest(h.amount - h.captured, 0)), 0) as held
    from heller.holds h
    where h.account_id = (a).account_id and h.unit = (a).unit and h.state = 'open' and h.expires_at <= p_at
  )
  select x.grant_id, (x.rest - x.forfeit)::bigint, x.forfeit::bigint
  from (select p.grant_id, p.rest,
               case when p.expires_at <= p_at then p.rest - least(p.rest, greatest(promised.held - coalesce(sum(p.rest) over (
                 order by p.priority, p.expires_at nulls last, (p.source = 'promotion') desc, p.grant_id
                 rows between unbounded preceding and 1 preceding), 0), 0)) else 0 end as forfeit
        from present p cross join promised) x
$$;
comment on function heller._grants_at(heller.accounts, timestamptz) is
  'What remains of each grant at an instant, and what of it is forfeited by then. Open holds promise the first credits in burn-down order: those outlive their expiry while the hold is open. Reads only; _run_due does it.';
