-- Paid in another currency than nearly all others: the old system dropped such purchases.
select f.id as key, f.user_id as account, w.credits,
       jsonb_build_object('currency', f.currency, 'amount', f.amount, 'status', f.status, 'booked', w.booking_id is not null) as detail
from heller_staging.facts f
join heller_staging.worth w on w.payment_id = f.id
where f.currency is not null
  and f.currency <> (select currency from heller_staging.facts where currency is not null group by currency order by count(*) desc, currency limit 1)
