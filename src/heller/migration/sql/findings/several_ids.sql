-- One person under several ids in the rows that hold money; they are one account now.
select r.user_id as key, r.user_id as account, null::bigint as credits,
       jsonb_build_object('names', jsonb_agg(distinct r.written)) as detail
from heller_staging.refs r where r.user_id is not null
group by r.user_id having count(distinct r.ref) > 1
