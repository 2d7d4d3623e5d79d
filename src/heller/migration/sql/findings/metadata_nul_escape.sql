-- Extra data that no reader of JSON can take (a NUL character, half of a character pair, a number beyond bounds).
select s.label || ':' || t.id as key, null::text as account, null::bigint as credits, jsonb_build_object('begins', left(t.metadata, 60)) as detail
from heller_staging.transactions t join heller_staging.sources s using (source)
where t.metadata ~ '\\u|[0-9][eE]' and heller_staging.json(t.metadata) is null
union all
select s.label || ':' || p.id, null, null, jsonb_build_object('begins', left(p.raw, 60))
from heller_staging.payments p join heller_staging.sources s using (source)
where p.raw ~ '\\u|[0-9][eE]' and heller_staging.json(p.raw) is null
