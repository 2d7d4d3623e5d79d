-- One Stripe customer for several users, or several for one: in both cases a name that does not tell who.
with pairs as (
  select id as user_id, customer from heller_staging.people where customer is not null
  union
  select r.user_id, s.name
  from heller_staging.said s
  join (select name, min(user_id) as user_id from heller_staging.names group by name having count(distinct user_id) = 1) r on r.name = s.ref
)
select p.user_id as key, p.user_id as account, null::bigint as credits,
       jsonb_build_object('customers', jsonb_agg(p.customer order by p.customer), 'shared', bool_or(c.users > 1)) as detail
from pairs p
join (select customer, count(*) as users from pairs group by customer) c using (customer)
join (select user_id, count(*) as customers from pairs group by user_id) u using (user_id)
where c.users > 1 or u.customers > 1
group by p.user_id
