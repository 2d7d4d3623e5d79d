-- Rows from before there was a shop: a clock was wrong, or an empty time was written.
select s.label || ':' || t.id as key, null::text as account, t.delta as credits, jsonb_build_object('at', t.created_at::text) as detail
from heller_staging.transactions t join heller_staging.sources s using (source) where t.created_at < timestamptz '1971-01-01 00:00:00+00'
union all
select s.label || ':' || t.id, null, null, jsonb_build_object('at', t.created_at::text)
from heller_staging.payments t join heller_staging.sources s using (source) where t.created_at < timestamptz '1971-01-01 00:00:00+00'
