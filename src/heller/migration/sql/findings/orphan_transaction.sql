-- A history row of nobody.
select t.id as key, null::text as account, t.delta as credits,
       jsonb_build_object('user', t.user_ref, 'reason', left(t.reason, 100), 'table', s.label) as detail
from heller_staging.transactions t
join heller_staging.sources s using (source)
join heller_staging.refs r on r.strict = s.strict
  and r.ref = case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end
where r.verdict = 'none'
