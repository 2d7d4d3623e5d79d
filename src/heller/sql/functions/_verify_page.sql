create or replace function heller._verify_page(
  p_after text, p_until text, p_hash boolean, p_account_id text default null, out accounts bigint, out transactions bigint, out broken jsonb
)
language plpgsql stable set search_path = pg_catalog
set client_encoding = 'UTF8'  -- of the hashes: record_send speaks the client's
as $$
begin
  with rows as (
    select t.account_id, t.unit, t.seq, t.delta, t.balance_after, t.hash, t.hold_id,
           coalesce(lag(t.seq) over w, 0) as previous_seq,
           coalesce(lag(t.balance_after) over w, 0) as previous_balance,
           coalesce(t.filed_at, t.effective_at) as filed_at, lag(coalesce(t.filed_at, t.effective_at)) over w as previous_filed_at,
           case when p_hash then heller._transaction_hash(coalesce(lag(t.hash) over w, ''), row(t.*)::heller.transactions) else t.hash end as hash_due
    from heller.transactions t
    where t.account_id > p_after and (p_until is null or t.account_id <= p_until)
      and (not heller._is_spread() or t.account_id = p_account_id)
    window w as (partition by t.account_id, t.unit order by t.seq)
  ), ends as (
    select r.account_id, r.unit, count(*) as n, max(r.seq) as last_seq, sum(r.delta) as posted,
           (array_agg(r.hash order by r.seq desc))[1] as head_hash
    from rows r group by r.account_id, r.unit
  ), drawn as (
    select d.account_id, d.unit, d.grant_id, sum(d.amount) as amount
    from heller.draws d where d.account_id > p_after and (p_until is null or d.account_id <= p_until)
      and (not heller._is_spread() or d.account_id = p_account_id)
    group by d.account_id, d.unit, d.grant_id
  ), captures as (
    select r.account_id, r.unit, r.hold_id, -sum(r.delta) as amount from rows r where r.hold_id is not null group by r.account_id, r.unit, r.hold_id
  ), owners as (
    select a.* from heller.accounts a where a.account_id > p_after and (p_until is null or a.account_id <= p_until)
      and (not heller._is_spread() or a.account_id = p_account_id)
  ), wrong as (
    select account_id, unit, seq, 'seq' as what, (previous_seq + 1)::text as expected, seq::text as actual from rows where seq <> previous_seq + 1
    union all
    select account_id, unit, seq, 'balance_after', (previous_balance::numeric + delta)::text, balance_after::text from rows
    where balance_after <> previous_balance::numeric + delta
    union all
    select account_id, unit, seq, 'filed_at', 'not before ' || previous_filed_at, filed_at::text from rows where filed_at < previous_filed_at
    union all
    select account_id, unit, seq, 'hash', encode(hash_due, 'hex'), encode(hash, 'hex') from rows where hash <> hash_due
    union all
    select a.account_id, a.unit, null, c.what, c.expected, c.actual
    from owners a left join ends e using (account_id, unit)
    cross join lateral (values
      ('posted', coalesce(e.posted, 0)::text, a.posted::text),
      ('last_seq', coalesce(e.last_seq, 0)::text, a.last_seq::text),
      ('head_hash', encode(coalesce(e.head_hash, ''), 'hex'), encode(a.head_hash, 'hex')),
      ('held', (select coalesce(sum(greatest(h.amount - h.captured, 0)), 0)::text from heller.holds h
                where h.account_id = a.account_id and h.unit = a.unit and h.state = 'open'
      and (not heller._is_spread() or h.account_id = p_account_id)), a.held::text),
      ('grants', a.settled_posted::text, (select coalesce(sum(g.remaining), 0) - a.uncovered from heller.grants g
                                          where g.account_id = a.account_id and g.unit = a.unit
      and (not heller._is_spread() or g.account_id = p_account_id))::text),
      ('settled_posted', coalesce((select s.balance_after from heller.transactions s
                                   where s.account_id = a.account_id and s.unit = a.unit and s.seq = a.settled_seq
      and (not heller._is_spread() or s.account_id = p_account_id)), 0)::text, a.settled_posted::text)
    ) c (what, expected, actual)
    where c.expected <> c.actual
    union all
    select g.account_id, g.unit, null, format('grant %s', g.grant_id), format('%s of %s', g.amount - coalesce(d.amount, 0), g.amount),
           format('%s of %s', g.remaining, g.amount)
    from heller.grants g left join drawn d using (account_id, unit, grant_id)
    where g.account_id > p_after and (p_until is null or g.account_id <= p_until)
      and (not heller._is_spread() or g.account_id = p_account_id) and g.seq is not null and g.remaining <> g.amount - coalesce(d.amount, 0)
      -- what a grant had lost before it came here was drawn elsewhere
      and not (g.remaining < g.amount - coalesce(d.amount, 0) and exists (
        select from heller.transactions s where s.account_id = g.account_id and s.unit = g.unit and s.seq = g.seq and s.source_system is not null
      and (not heller._is_spread() or s.account_id = p_account_id)))
    union all
    select account_id, unit, null, format('hold %s', hold_id), format('%s captured', coalesce(c.amount, 0)), format('%s captured', coalesce(h.captured, 0))
    from captures c full join (select * from heller.holds x where x.account_id > p_after and (p_until is null or x.account_id <= p_until)
      and (not heller._is_spread() or x.account_id = p_account_id)) h
      using (account_id, unit, hold_id)
    where coalesce(c.amount, 0) <> coalesce(h.captured, 0)
    union all  -- no period is given that was not passed, and the account is due when the next begins
    select r.account_id, r.unit, null, format('recurring %s', r.name), format('nothing given for %s or later', r.next_at), max(g.available_at)::text
    from heller.recurring_grants r join heller.grants g on g.account_id = r.account_id and g.unit = r.unit and g.recurring = r.name
    where r.account_id > p_after and (p_until is null or r.account_id <= p_until)
      and (not heller._is_spread() or r.account_id = p_account_id) and g.available_at >= r.next_at
    group by r.account_id, r.unit, r.name, r.next_at
    union all
    select a.account_id, a.unit, null, 'next_due_at', format('%s at the latest, for recurring %s', r.next_at, r.name), coalesce(a.next_due_at::text, 'never')
    from owners a join heller.recurring_grants r on r.account_id = a.account_id and r.unit = a.unit
    where (not heller._is_spread() or r.account_id = p_account_id) and a.epoch % 2 is distinct from 0
      and r.next_at < coalesce(r.ends_at, 'infinity') and (a.next_due_at <= r.next_at) is not true
    union all
    select e.account_id, e.unit, null, 'account', 'an account', 'only transactions' from ends e
    where not exists (select from owners a where a.account_id = e.account_id and a.unit = e.unit)
  )
  select (select count(*) from owners), coalesce((select sum(n) from ends), 0),
         (select jsonb_agg(jsonb_build_object('account', account_id, 'unit', unit, 'seq', seq, 'what', what, 'expected', expected, 'found', actual)
                           order by account_id, unit, seq nulls last, what) from wrong)
  into accounts, transactions, broken;
end $$;
comment on function heller._verify_page(text, text, boolean, text) is
  'Recomputes the accounts behind p_after up to p_until (null: all) from their rows. On a Citus cluster p_account_id names the one account between them.';
