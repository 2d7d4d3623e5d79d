-- Extra data that is JSON but no object; it is kept as it is.
select s.label || ':' || t.id as key, null::text as account, null::bigint as credits, jsonb_build_object('begins', left(t.metadata, 60)) as detail
from heller_staging.transactions t join heller_staging.sources s using (source)
where t.metadata is not null and left(ltrim(t.metadata, E' \t\n\r'), 1) <> '{'
union all
select s.label || ':' || p.id, null, null, jsonb_build_object('begins', left(p.raw, 60))
from heller_staging.payments p join heller_staging.sources s using (source)
where p.raw is not null and left(ltrim(p.raw, E' \t\n\r'), 1) <> '{'
