-- A payment of one user, booked for another.
select b.payment_id as key, min(f.user_id) as account, sum(b.delta)::bigint as credits,
       jsonb_build_object('payer', min(f.user_id), 'booked_for', jsonb_agg(distinct r.user_id), 'rows', jsonb_agg(b.id)) as detail
from heller_staging.booked b
join heller_staging.transactions t on t.source = b.source and t.id = b.id
join heller_staging.sources s on s.source = t.source
join heller_staging.refs r on r.strict = s.strict
  and r.ref = case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end
join heller_staging.facts f on f.id = b.payment_id
where f.user_id <> r.user_id
group by b.payment_id
