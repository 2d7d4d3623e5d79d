-- Reasons that people typed; they are copied word for word and counted as adjustments.
select t.id as key, null::text as account, t.delta as credits, jsonb_build_object('reason', left(t.reason, 100), 'table', s.label) as detail
from heller_staging.transactions t join heller_staging.sources s using (source)
where t.reason ~ '\s' and not t.ledger
