-- References that no name of any user matches, with what hangs on them.
select min(s.written) as key, null::text as account, sum(s.transactions + s.ledger)::bigint as credits,
       jsonb_build_object('transactions', sum(s.transaction_rows), 'ledger_rows', sum(s.ledger_rows),
                          'payments', coalesce(max(p.payments), 0), 'paid_not_booked', coalesce(max(p.unbooked), 0)) as detail
from heller_staging.sums s
left join (
  select f.ref, count(*) as payments, count(*) filter (where f.user_id is null) as ownerless,
         sum(w.credits) filter (where f.state = 'paid' and w.booking_id is null) as unbooked
  from heller_staging.facts f join heller_staging.worth w on w.payment_id = f.id group by f.ref
) p on p.ref = s.ref
where s.verdict = 'none' and (s.transaction_rows + s.ledger_rows > 0 or p.ownerless > 0)
group by s.ref
