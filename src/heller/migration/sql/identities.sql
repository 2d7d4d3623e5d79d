-- Who is who, before any money: every name of every user.

create unlogged table heller_staging.people as
select id, heller_staging.key(id) as name, heller_staging.key(email) as email, heller_staging.key(customer) as customer,
       name as display, balance, created_at,
       coalesce(email ~* '^emergency_.*@temp\.com$' or name ilike 'emergency user%', false) as ghost
from heller_staging.users;
create unique index on heller_staging.people (id);
analyze heller_staging.people;

-- level 1: said by the users table itself; 2 and up: said by another table in the same breath as a known name.
create unlogged table heller_staging.names (name text not null, kind text not null, user_id text not null, level integer not null);

insert into heller_staging.names
select name, 'legacy_id', id, 1 from heller_staging.people
union all
select email, 'email', id, 1 from heller_staging.people where email is not null and email <> name
union all
select customer, 'stripe_customer', id, 1 from heller_staging.people where customer is not null and customer <> name;

insert into heller_staging.names
select distinct heller_staging.key(n.name),
       case when n.name like 'auth0|%' then 'auth0' when strpos(n.name, '@') > 0 then 'email' else 'other' end, u.id, 1
from heller_staging.users u, unnest(u.names) n(name)
where heller_staging.key(n.name) is not null and length(n.name) <= 320 and heller_staging.key(n.name) <> heller_staging.key(u.id);

create index on heller_staging.names (name);
analyze heller_staging.names;

-- Names said together: by a row of stripe_customers, by a payment and its provider's data.
create unlogged table heller_staging.said as
select distinct heller_staging.key(user_ref) as ref, heller_staging.key(customer) as name
from heller_staging.customers where heller_staging.key(customer) is not null;
create index on heller_staging.said (ref);
create index on heller_staging.said (name);

create unlogged table heller_staging.told as
-- Any key first, the known ones afterwards: the dozen names inside the pattern cost twice the time.
select p.id, coalesce(heller_staging.key(p.user_ref), '(none)') as ref, heller_staging.key(m.found[2]) as name
from heller_staging.payments p, regexp_matches(p.raw, '"(\w+)"\s*:\s*"?([^",}\]\s\\{[]+)', 'g') m(found)
where p.raw is not null
  and m.found[1] in ('customer', 'customer_id', 'stripe_customer_id', 'customer_email', 'email', 'receipt_email', 'user_email',
                     'user_id', 'userId', 'user', 'client_reference_id', 'clerk_user_id')
  and lower(m.found[2]) not in ('null', 'true', 'false');
delete from heller_staging.told where name is null or name = ref or length(name) > 320;
create index on heller_staging.told (id);
create index on heller_staging.told (ref);
analyze heller_staging.said, heller_staging.told;

-- A name nobody has yet is learnt where it stands beside known ones. A made-up user teaches nothing: the data beside
-- it are the buyer's. Where the names beside it are of several users, it is ambiguous and so are the rows that use it.
do $$
declare
  v_names bigint;
  v_learnt bigint;
begin
  for v_round in 1..2 loop
    v_names := 0;
    insert into heller_staging.names  -- a customer of a known user
    select distinct s.name, 'stripe_customer', n.user_id, 2
    from heller_staging.said s join heller_staging.names n on n.name = s.ref
    where not exists (select from heller_staging.names k where k.name = s.name);
    get diagnostics v_learnt = row_count;
    v_names := v_names + v_learnt;

    with fresh as materialized (  -- first, as hardly any is
      select t.ref, t.name from heller_staging.told t where not exists (select from heller_staging.names k where k.name = t.name)
    )
    insert into heller_staging.names  -- what the provider says of a payment whose user is known
    select distinct t.name, case when t.name like 'cus\_%' then 'stripe_customer' when t.name like 'auth0|%' then 'auth0'
                                 when strpos(t.name, '@') > 0 then 'email' else 'other' end, o.user_id, 3
    from fresh t
    join (select n.name, min(n.user_id) as user_id from heller_staging.names n join heller_staging.people p on p.id = n.user_id
          where n.name in (select f.ref from fresh f)
          group by n.name having count(distinct n.user_id) = 1 and not bool_or(p.ghost)) o on o.name = t.ref;
    get diagnostics v_learnt = row_count;
    v_names := v_names + v_learnt;

    insert into heller_staging.names  -- the user of a known customer
    select distinct s.ref, case when s.ref like 'auth0|%' then 'auth0' when strpos(s.ref, '@') > 0 then 'email' else 'other' end, n.user_id, 4
    from heller_staging.said s join heller_staging.names n on n.name = s.name
    where not exists (select from heller_staging.names k where k.name = s.ref);
    get diagnostics v_learnt = row_count;
    v_names := v_names + v_learnt;

    insert into heller_staging.names  -- an unknown user whose payments name known ones
    select distinct t.ref, case when t.ref like 'auth0|%' then 'auth0' when strpos(t.ref, '@') > 0 then 'email' else 'other' end, n.user_id, 5
    from heller_staging.told t join heller_staging.names n on n.name = t.name
    where t.ref <> '(none)' and not exists (select from heller_staging.names k where k.name = t.ref);
    get diagnostics v_learnt = row_count;
    v_names := v_names + v_learnt;
    exit when v_names = 0;
  end loop;
end $$;
analyze heller_staging.names;
