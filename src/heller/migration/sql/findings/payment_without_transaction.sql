-- Paid, and no history row booked it.
select f.id as key, f.user_id as account, w.credits,
       jsonb_build_object('status', f.status, 'amount', f.amount, 'currency', f.currency, 'intent', f.intent, 'session', f.session,
                          'user', f.ref, 'estimated', w.estimated) as detail
from heller_staging.facts f join heller_staging.worth w on w.payment_id = f.id
where f.state = 'paid' and w.booking_id is null
