-- Whose account each reference belongs to, what every account is owed, and what the decisions add or take.
-- Source rows and decisions only: nothing here looks at what was copied.

create unlogged table heller_staging.homes as
select p.id as user_id,
       coalesce((select substr(c.choice, 6) from heller_staging.choices c
                 where c.code = 'ghost_user' and c.key = p.id and c.choice like 'user:%'), p.id) as account
from heller_staging.people p;
create unique index on heller_staging.homes (user_id);
analyze heller_staging.homes;

create unlogged table heller_staging.owners as
select r.strict, r.ref, r.user_id, r.verdict <> 'one' as decided,
       case when r.verdict = 'one' then h.account
            when c.choice = 'hold' then
              case when length(r.ref) <= 180 then 'unclaimed:' || r.ref else 'unclaimed:' || left(r.ref, 140) || ':' || md5(r.ref) end
            when c.choice like 'user:%' then (select o.account from heller_staging.homes o where o.user_id = substr(c.choice, 6))
       end as account
from heller_staging.refs r
left join heller_staging.homes h on h.user_id = r.user_id
left join (
  select distinct on (ref) * from (
    select case when key = '(none)' then key else heller_staging.key(key) end as ref, choice, code from heller_staging.choices
    where code in ('unknown_user', 'ambiguous_user')
  ) x order by ref
) c on c.ref = r.ref and c.code = case r.verdict when 'none' then 'unknown_user' when 'many' then 'ambiguous_user' end;
create unique index on heller_staging.owners (strict, ref);
analyze heller_staging.owners;

-- Credits that a decision adds to or takes from the truth of the source.
create unlogged table heller_staging.corrections as
select w.account, c.code, c.key, case when c.code in ('payment_booked_twice', 'refund_not_taken') then -abs(c.credits) else abs(c.credits) end as delta
from heller_staging.choices c
join (
  select f.id, coalesce(h.account, o.account) as account
  from heller_staging.facts f
  left join heller_staging.homes h on h.user_id = f.user_id
  left join heller_staging.owners o on o.strict = f.strict and o.ref = f.ref
) w on w.id = c.key
where (c.code, c.choice) in (('payment_without_transaction', 'credit'), ('payment_booked_twice', 'take_back'),
                             ('refund_taken_twice', 'give_back'), ('refund_not_taken', 'take_back'))
  and w.account is not null and c.credits <> 0
union all
select h.account, c.code, c.key, -c.credits
from heller_staging.choices c join heller_staging.homes h on h.user_id = c.key
where c.code = 'negative_balance' and c.choice = 'forgive' and c.credits < 0;
analyze heller_staging.corrections;

create unlogged table heller_staging.accounts as
select row_number() over (order by x.account collate "C") as no, x.account, bool_or(x.is_user) as is_user,
       min(x.opened_at) as opened_at, sum(x.balance)::bigint as balance, sum(x.unclaimed)::bigint as unclaimed,
       sum(x.corrected)::bigint as corrected, sum(x.balance + x.unclaimed + x.corrected)::bigint as target
from (
  select h.account, true as is_user, s.created_at as opened_at,
         case {truth}
           when 'balance' then coalesce(s.balance, case
             when (select c.choice from heller_staging.choices c where c.code = 'null_balance' and c.key = s.id) = 'zero' then 0
             when s.transaction_rows > 0 then s.transactions else s.ledger end)
           when 'transactions' then s.transactions else s.ledger end as balance,
         0::bigint as unclaimed, 0::bigint as corrected
  from heller_staging.history s join heller_staging.homes h on h.user_id = s.id
  union all
  -- Rows of nobody never moved a balance: whoever gets them gets their credits on top, and no debt with them.
  select o.account, false, null, 0,
         case {truth} when 'balance' then greatest(s.entries, 0) when 'transactions' then s.transactions else s.ledger end, 0
  from heller_staging.sums s join heller_staging.owners o on o.strict = s.strict and o.ref = s.ref
  where o.decided and o.account is not null
  union all
  select account, false, null, 0, 0, delta from heller_staging.corrections
) x
group by x.account;
create unique index on heller_staging.accounts (account);
create unique index on heller_staging.accounts (no);
analyze heller_staging.accounts;
