-- A status that nobody wrote down; the payment is kept as open.
select f.id as key, f.user_id as account, w.credits, jsonb_build_object('status', f.status, 'amount', f.amount) as detail
from heller_staging.facts f join heller_staging.worth w on w.payment_id = f.id
where f.state = 'open' and not exists (select from heller_staging.statuses k where k.status = lower(btrim(f.status)))
  and coalesce(lower(btrim(f.status)), '') not in ('init', 'pending', 'open', 'created', 'processing', 'new')
