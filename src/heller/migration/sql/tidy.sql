-- Rows that can never be carried leave the staged tables here, each with its reason.
-- source ids are then unique and not null, deltas are whole and not zero.

with gone as (delete from heller_staging.users where id is null or length(id) not between 1 and 200 or btrim(id) = '' returning *)
insert into heller_staging.quarantine
select source, coalesce(left(id, 200), '(none)'), null, balance, 'the user has no usable id' from gone;

with gone as (delete from heller_staging.customers where user_ref is null or heller_staging.key(user_ref) is null returning *)
insert into heller_staging.quarantine
select source, '(none)', null, null, 'the row names no user' from gone;

with gone as (delete from heller_staging.payments where id is null returning *)
insert into heller_staging.quarantine
select source, '(none)', user_ref, credits, 'the payment has no id' from gone;

with gone as (delete from heller_staging.transactions where id is null or delta is null or delta = 0 returning *)
insert into heller_staging.quarantine
select source, coalesce(id, '(none)'), user_ref, delta,
       case when id is null then 'the row has no id'
            when delta = 0 then 'zero delta: the row moved no credits'
            else 'the change of credits cannot be read: ' || coalesce(odd, 'it is empty') end
from gone;
