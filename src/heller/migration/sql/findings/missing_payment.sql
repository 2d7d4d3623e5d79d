-- A history row that points at a payment which is not there.
select t.id as key, null::text as account, t.delta as credits,
       jsonb_build_object('payment', t.payment_ref, 'reason', left(t.reason, 100), 'table', s.label) as detail
from heller_staging.transactions t
join heller_staging.sources s using (source)
where nullif(btrim(t.payment_ref), '') is not null and not exists (select from heller_staging.facts f where f.id = t.payment_ref)
