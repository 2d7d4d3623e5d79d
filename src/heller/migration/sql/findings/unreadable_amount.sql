-- Payments whose amount is there but is no whole number of the currency's smallest unit: it was read as none.
select f.id as key, f.user_id as account, w.credits,
       jsonb_build_object('odd', p.odd, 'currency', f.currency, 'status', f.status) as detail
from heller_staging.payments p
join heller_staging.facts f on f.source = p.source and f.id = p.id
join heller_staging.worth w on w.payment_id = f.id
where p.odd ~ '(^|; )amount "'
