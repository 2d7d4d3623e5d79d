-- Events of the payment provider that the old system did not finish.
select event as key, null::text as account, null::bigint as credits,
       jsonb_build_object('type', type, 'status', status, 'error', left(error, 200)) as detail
from heller_staging.events where lower(status) in ('failed', 'processing', 'error')
