-- Paid, but no column and no booking says for how many credits.
select f.id as key, f.user_id as account, w.credits,
       jsonb_build_object('amount', f.amount, 'currency', f.currency, 'status', f.status) as detail
from heller_staging.facts f join heller_staging.worth w on w.payment_id = f.id
where w.estimated and f.state = 'paid'
