-- Paid without an id of the provider: a redelivered event could not be told from a new one.
select f.id as key, f.user_id as account, w.credits, jsonb_build_object('status', f.status, 'amount', f.amount) as detail
from heller_staging.facts f join heller_staging.worth w on w.payment_id = f.id
where f.state = 'paid' and f.intent is null and f.session is null
