-- A purchase in the history, and no payment that it could be of.
select t.id as key, null::text as account, t.delta as credits,
       jsonb_build_object('user', t.user_ref, 'reason', left(t.reason, 100), 'table', s.label) as detail
from heller_staging.transactions t
join heller_staging.sources s using (source)
join heller_staging.reasons c on c.words = coalesce(t.reason, '') || E'\x1f' || coalesce(t.description, '')
where c.class = 'purchase' and t.delta > 0 and not t.ledger
  and not exists (select from heller_staging.links l where l.source = t.source and l.id = t.id)
