-- More credits taken back for a payment than it brought.
select x.payment_id as key, f.user_id as account, x.taken - x.brought as credits,
       jsonb_build_object('brought', x.brought, 'taken', x.taken, 'rows', to_jsonb(x.ids), 'intent', f.intent) as detail
from (
  select b.payment_id, coalesce(-sum(b.delta) filter (where b.side = 'out'), 0)::bigint as taken,
         coalesce(sum(b.delta) filter (where b.side = 'in'), 0)::bigint as brought,
         (array_agg(b.id order by b.n) filter (where b.side = 'out'))[1:20] as ids
  from heller_staging.booked b
  where not exists (select from heller_staging.merges m where m.source = b.source and m.id = b.id)
  group by b.payment_id
) x
join heller_staging.facts f on f.id = x.payment_id
where x.taken > x.brought
