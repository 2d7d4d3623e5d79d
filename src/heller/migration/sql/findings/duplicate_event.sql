-- One event of the payment provider, booked by several rows or let through by both tables that should stop it.
select event as key, null::text as account, coalesce(sum(delta) - max(delta), 0)::bigint as credits,
       jsonb_build_object('rows', to_jsonb((array_agg(id order by created_at, id))[1:20]), 'in', 'history') as detail
from heller_staging.transactions where event is not null
group by event, ledger having count(*) > 1
union all
select e.event, null, 0, jsonb_build_object('in', 'event tables', 'tables', jsonb_agg(s.label order by s.label))
from heller_staging.events e join heller_staging.sources s using (source)
where not exists (select from heller_staging.transactions t where t.event = e.event group by t.ledger having count(*) > 1)
group by e.event having count(*) > 1
