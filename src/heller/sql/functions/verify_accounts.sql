create or replace function heller.verify_accounts(
  p_after text default '', p_limit integer default 1000, p_hash boolean default true, p_until text default null,
  out last_account text, out accounts bigint, out transactions bigint, out broken jsonb
)
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
  select max(x.account_id), count(*) into last_account, accounts
  from (select account_id from heller.accounts where account_id > p_after and (p_until is null or account_id <= p_until) order by account_id, unit limit p_limit) x;
  if last_account is not null then  -- all units of the last account belong to this page
    select count(*) into accounts from heller.accounts where account_id > p_after and account_id <= last_account;
  end if;
  with rows as (
    select t.account_id, t.unit, t.seq, t.delta, t.balance_after, t.hash,
           coalesce(lag(t.seq) over w, 0) as previous_seq,
           coalesce(lag(t.balance_after) over w, 0) as previous_balance,
           case when p_hash then heller._transaction_hash(coalesce(lag(t.hash) over w, ''), t) else t.hash end as hash_due
    from heller.transactions t
    where t.account_id > p_after and t.account_id <= last_account
    window w as (partition by t.account_id, t.unit order by t.seq)
  ), ends as (
    select r.account_id, r.unit, count(*) as n, max(r.seq) as last_seq, sum(r.delta) as posted,
           (array_agg(r.hash order by r.seq desc))[1] as head_hash
    from rows r group by r.account_id, r.unit
  ), wrong as (
    select account_id, unit, seq, 'seq' as what, (previous_seq + 1)::text as expected, seq::text as actual from rows where seq <> previous_seq + 1
    union all
    select account_id, unit, seq, 'balance_after', (previous_balance::numeric + delta)::text, balance_after::text from rows
    where balance_after <> previous_balance::numeric + delta
    union all
    select account_id, unit, seq, 'hash', encode(hash_due, 'hex'), encode(hash, 'hex') from rows where hash <> hash_due
    union all
    select a.account_id, a.unit, null, c.what, c.expected, c.actual
    from heller.accounts a left join ends e using (account_id, unit)
    cross join lateral (values
      ('posted', coalesce(e.posted, 0)::text, a.posted::text),
      ('last_seq', coalesce(e.last_seq, 0)::text, a.last_seq::text),
      ('head_hash', encode(coalesce(e.head_hash, ''), 'hex'), encode(a.head_hash, 'hex')),
      ('held', (select coalesce(sum(greatest(h.amount - h.captured, 0)), 0)::text from heller.holds h
                where h.account_id = a.account_id and h.unit = a.unit and h.state = 'open'), a.held::text),
      ('grants', a.settled_posted::text, (select coalesce(sum(g.remaining), 0) - a.uncovered from heller.grants g
                                          where g.account_id = a.account_id and g.unit = a.unit)::text),
      ('settled_posted', coalesce((select s.balance_after from heller.transactions s
                                   where s.account_id = a.account_id and s.unit = a.unit and s.seq = a.settled_seq), 0)::text, a.settled_posted::text)
    ) c (what, expected, actual)
    where a.account_id > p_after and a.account_id <= last_account and c.expected <> c.actual
    union all
    select e.account_id, e.unit, null, 'account', 'an account', 'only transactions' from ends e
    where not exists (select from heller.accounts a where a.account_id = e.account_id and a.unit = e.unit)
  )
  select coalesce((select sum(n) from ends), 0),
         (select jsonb_agg(jsonb_build_object('account', account_id, 'unit', unit, 'seq', seq, 'what', what, 'expected', expected, 'found', actual)
                           order by account_id, unit, seq nulls last, what) from wrong)
  into transactions, broken;
end $$;
comment on function heller.verify_accounts(text, integer, boolean, text) is
  'Recomputes a page of accounts from their rows: numbering, running balance, chain of hashes, totals, holds, grants. broken names each row that is wrong; last_account is where the next page starts; p_until ends the range.';
