-- Which names each account will have. Runs beside entries.sql, in a session of its own.

-- Names that identify exactly one user here; a shared name identifies nobody.
create unlogged table heller_staging.identities as
select min(a.no) as no, n.kind, n.name, min(h.account) as account
from heller_staging.names n
join heller_staging.homes h on h.user_id = n.user_id
join heller_staging.accounts a on a.account = h.account
where length(n.name) <= 320  -- no name is empty; with a lower bound too the planner would expect next to none
group by n.kind, n.name having count(distinct h.account) = 1
order by no;
create index on heller_staging.identities (no);
analyze heller_staging.identities;

insert into heller_staging.quarantine
select c.source, c.user_ref, c.user_ref, null,
       case when coalesce(n.users, 0) = 0 then 'the row names no known user'
            when n.users > 1 then 'the row names several users'
            when i.account is not null then 'the Stripe customer belongs to another user'
            else 'the Stripe customer belongs to several users, so it identifies none' end
from heller_staging.customers c
left join (select name, min(user_id) as user_id, count(distinct user_id) as users from heller_staging.names group by name) n
  on n.name = heller_staging.key(c.user_ref)
left join heller_staging.homes h on h.user_id = n.user_id and n.users = 1
left join heller_staging.identities i on i.kind = 'stripe_customer' and i.name = heller_staging.key(c.customer)
where coalesce(n.users, 0) <> 1 or (heller_staging.key(c.customer) is not null and i.account is distinct from h.account);
