create or replace function heller._drawn(a heller.accounts, o heller.transactions)
returns table (place integer, grant_id bigint, amount bigint)
language sql stable set search_path = pg_catalog as $$
  with grants_now as (  -- what spends since settled_seq would draw, laid without writing
    select g.grant_id, g.remaining, coalesce(sum(g.remaining) over (
             order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.grant_id
             rows between unbounded preceding and 1 preceding), 0) as before
    from heller.grants g
    where g.account_id = (a).account_id and g.unit = (a).unit and g.remaining > 0 and (o).seq > (a).settled_seq
  ), parts as (
    select d.grant_id, least(d.upper_balance, (o).balance_after - (o).delta) as upper, greatest(d.lower_balance, (o).balance_after) as lower
    from heller.draws d
    where d.account_id = (a).account_id and d.unit = (a).unit and (o).seq between d.first_seq and d.last_seq and d.amount > 0
      and (o).seq <= (a).settled_seq and (o).delta < 0
    union all
    select n.grant_id, least((a).settled_posted - n.before, (o).balance_after - (o).delta),
           greatest((a).settled_posted - n.before - n.remaining, (o).balance_after)
    from grants_now n
  ), covered as (
    select grant_id, upper, upper - lower as amount from parts where upper > lower
  )
  select (row_number() over (order by upper desc nulls last))::integer, grant_id, amount from (
    select * from covered
    union all
    select null, null, -(o).delta - (select coalesce(sum(amount), 0) from covered)
    where -(o).delta > (select coalesce(sum(amount), 0) from covered)
  ) x
$$;
comment on function heller._drawn(heller.accounts, heller.transactions) is
  'Which grants paid a transaction that took credits, in order; a null grant is what no grant covered.';
