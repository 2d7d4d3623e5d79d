-- Rows that moved no credits; they stay behind, listed.
select q.id as key, null::text as account, 0::bigint as credits, jsonb_build_object('table', s.label) as detail
from heller_staging.quarantine q join heller_staging.sources s using (source) where q.reason like 'zero delta:%'
