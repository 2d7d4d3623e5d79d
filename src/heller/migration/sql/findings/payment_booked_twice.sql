-- One payment, more than one booking.
select b.payment_id as key, min(f.user_id) as account, sum(b.delta)::bigint as credits,
       jsonb_build_object('further_bookings', to_jsonb((array_agg(b.id order by b.n))[1:20]), 'intent', min(f.intent)) as detail
from heller_staging.booked b
join heller_staging.facts f on f.id = b.payment_id
where b.side = 'in' and not exists (select from heller_staging.merges m where m.source = b.source and m.id = b.id)
  and not exists (select from heller_staging.worth w where w.booking_source = b.source and w.booking_id = b.id and w.payment_id = b.payment_id)
group by b.payment_id
