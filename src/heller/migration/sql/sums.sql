-- What each user's rows add up to, in each of the two histories.
create unlogged table heller_staging.sums as
select r.strict, r.ref, r.written, r.user_id, r.verdict,
       coalesce(sum(g.credits) filter (where not g.ledger), 0)::bigint as transactions,
       coalesce(sum(g.rows) filter (where not g.ledger), 0)::bigint as transaction_rows,
       coalesce(sum(g.credits) filter (where g.ledger), 0)::bigint as ledger,
       coalesce(sum(g.rows) filter (where g.ledger), 0)::bigint as ledger_rows,
       coalesce(sum(g.entries), 0)::bigint as entries
from heller_staging.refs r
left join (
  select a.strict, a.ref, a.ledger, a.credits, a.rows, a.credits - coalesce(m.credits, 0) as entries
  from heller_staging.tallies a
  left join (  -- what a row brings that is merged into another is that other's
    select s.strict, case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end as ref,
           t.ledger, sum(t.delta) as credits
    from heller_staging.merges m join heller_staging.transactions t on t.source = m.source and t.id = m.id
    join heller_staging.sources s on s.source = t.source
    group by 1, 2, 3
  ) m using (strict, ref, ledger)
) g on g.strict = r.strict and g.ref = r.ref
group by r.strict, r.ref, r.written, r.user_id, r.verdict;

create unlogged table heller_staging.history as
select p.id, p.email, p.balance, p.created_at, p.ghost,
       coalesce(sum(s.transactions), 0)::bigint as transactions, coalesce(sum(s.transaction_rows), 0)::bigint as transaction_rows,
       coalesce(sum(s.ledger), 0)::bigint as ledger, coalesce(sum(s.ledger_rows), 0)::bigint as ledger_rows
from heller_staging.people p left join heller_staging.sums s on s.user_id = p.id
group by p.id, p.email, p.balance, p.created_at, p.ghost;
create unique index on heller_staging.history (id);
analyze heller_staging.sums, heller_staging.history;
