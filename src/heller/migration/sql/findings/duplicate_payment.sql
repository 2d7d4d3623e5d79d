-- Two payments that carry the same id of the provider.
select token as key, null::text as account, null::bigint as credits,
       jsonb_build_object('payments', to_jsonb((array_agg(id order by id))[1:20])) as detail
from (select provider, intent as token, id from heller_staging.facts where intent is not null
      union all select provider, session, id from heller_staging.facts where session is not null) x
group by provider, token having count(*) > 1
