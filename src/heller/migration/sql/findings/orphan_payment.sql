-- A payment of nobody.
select f.id as key, null::text as account, w.credits,
       jsonb_build_object('user', f.ref, 'status', f.status, 'intent', f.intent, 'booked', w.booking_id is not null) as detail
from heller_staging.facts f
join heller_staging.refs r on r.strict = f.strict and r.ref = f.ref
join heller_staging.worth w on w.payment_id = f.id
where r.verdict = 'none' and f.user_id is null
