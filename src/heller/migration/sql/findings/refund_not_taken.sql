-- The money went back, the credits did not.
select f.id as key, f.user_id as account, w.booked as credits,
       jsonb_build_object('status', f.status, 'intent', f.intent) as detail
from heller_staging.facts f join heller_staging.worth w on w.payment_id = f.id
where f.state in ('refunded', 'chargeback') and w.booking_id is not null
  and not exists (select from heller_staging.booked b where b.payment_id = f.id and b.side = 'out')
