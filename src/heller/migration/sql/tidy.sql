-- Rows that can never be carried leave the staged tables here, each with its reason.
-- source ids are then unique and not null, deltas are whole and not zero.

with gone as (delete from heller_staging.users where id is null or length(id) not between 1 and 200 or btrim(id) = '' returning *)
insert into heller_staging.quarantine
select source, coalesce(left(id, 200), '(none)'), null, balance, 'the user has no usable id' from gone;

-- What is longer than any name identifies nobody.
update heller_staging.users set email = case when length(email) <= 320 then email end, customer = case when length(customer) <= 320 then customer end
where length(email) > 320 or length(customer) > 320;

with gone as (delete from heller_staging.customers where user_ref is null or heller_staging.key(user_ref) is null or length(user_ref) > 320
                or length(customer) > 320 returning *)
insert into heller_staging.quarantine
select source, coalesce(left(user_ref, 200), '(none)'), null, null,
       case when user_ref is null or heller_staging.key(user_ref) is null then 'the row names no user' else 'a name of more than 320 characters' end
from gone;

with gone as (delete from heller_staging.payments where id is null or length(id) > 200 or length(user_ref) > 320 returning *)
insert into heller_staging.quarantine
select source, coalesce(left(id, 200), '(none)'), left(user_ref, 320), credits,
       case when id is null then 'the payment has no id' when length(id) > 200 then 'an id of more than 200 characters'
            else 'a user''s name of more than 320 characters' end
from gone;

update heller_staging.payments
set intent = case when length(intent) <= 255 then intent end, session = case when length(session) <= 255 then session end,
    provider = left(provider, 255)
where length(intent) > 255 or length(session) > 255 or length(provider) > 255;

with gone as (delete from heller_staging.transactions where id is null or delta is null or delta = 0 or length(id) > 200 or length(user_ref) > 320 returning *)
insert into heller_staging.quarantine
select source, coalesce(left(id, 200), '(none)'), left(user_ref, 320), delta,
       case when id is null then 'the row has no id'
            when length(id) > 200 then 'an id of more than 200 characters'
            when length(user_ref) > 320 then 'a user''s name of more than 320 characters'
            when delta = 0 then 'zero delta: the row moved no credits'
            else 'the change of credits cannot be read: ' || coalesce(odd, 'it is empty') end
from gone;
