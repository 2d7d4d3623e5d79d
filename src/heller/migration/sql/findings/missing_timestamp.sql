-- Rows that do not say when they happened.
select s.label || ':' || t.id as key, null::text as account, t.delta as credits, jsonb_build_object('table', s.label, 'odd', t.odd) as detail
from heller_staging.transactions t join heller_staging.sources s using (source)
where t.created_at is null
