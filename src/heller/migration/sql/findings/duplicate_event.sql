-- One event of the payment provider, booked by several rows or let through by both tables that should stop it.
with booked as (
  select event, ledger, (sum(delta) - max(delta))::bigint as credits, (array_agg(id order by created_at, id))[1:20] as rows
  from heller_staging.transactions where event is not null group by event, ledger having count(*) > 1
), passed as (
  select e.event, array_agg(s.label order by s.label) as tables
  from heller_staging.events e join heller_staging.sources s using (source) group by e.event having count(*) > 1
)
select coalesce(b.event, p.event) as key, null::text as account, coalesce(sum(b.credits), 0)::bigint as credits,
       jsonb_strip_nulls(jsonb_build_object('rows', jsonb_agg(b.rows), 'tables', to_jsonb(min(p.tables)))) as detail
from booked b full join passed p on p.event = b.event
group by 1
