-- Reasons longer than a page.
select t.id as key, null::text as account, t.delta as credits, jsonb_build_object('characters', length(t.reason), 'table', s.label) as detail
from heller_staging.transactions t join heller_staging.sources s using (source)
where length(t.reason) > 1000 and not t.ledger
