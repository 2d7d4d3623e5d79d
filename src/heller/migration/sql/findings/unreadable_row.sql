-- Rows that cannot be carried at all, each with its reason.
select q.id as key, null::text as account, q.credits, jsonb_build_object('table', s.label, 'reason', q.reason) as detail
from heller_staging.quarantine q join heller_staging.sources s using (source) where q.reason not like 'zero delta:%'
