-- Users whose e-mails differ in case or blanks at most.
select email as key, null::text as account, sum(balance)::bigint as credits,
       jsonb_build_object('users', to_jsonb((array_agg(id order by id))[1:20])) as detail
from heller_staging.people where email is not null group by email having count(*) > 1
