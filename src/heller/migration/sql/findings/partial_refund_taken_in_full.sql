-- Part of the money went back, and more than that part of the credits.
select x.payment_id as key, x.user_id as account, x.taken - div(x.brought::numeric * x.returned, x.amount)::bigint as credits,
       jsonb_build_object('brought', x.brought, 'taken', x.taken, 'amount', x.amount, 'amount_refunded', x.returned) as detail
from (
  select b.payment_id, f.user_id, f.amount, r.returned,
         coalesce(-sum(b.delta) filter (where b.side = 'out'), 0)::bigint as taken,
         coalesce(sum(b.delta) filter (where b.side = 'in'), 0)::bigint as brought
  from heller_staging.booked b
  join heller_staging.facts f on f.id = b.payment_id
  join (
    select id, substring(raw from '"amount_refunded"\s*:\s*([0-9]{1,15})')::bigint as returned
    from heller_staging.payments where raw ~ '"amount_refunded"'
  ) r on r.id = b.payment_id and r.returned > 0
  where f.amount > r.returned and not exists (select from heller_staging.merges m where m.source = b.source and m.id = b.id)
  group by b.payment_id, f.user_id, f.amount, r.returned
) x
where x.taken::numeric * x.amount > x.brought::numeric * x.returned
