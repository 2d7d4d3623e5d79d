select
    e.admin_id as id, 'admin@example.com' as actor, e.uid as target, e.credits as delta,
    case when mod(e.admin_id, 2) = 0 then 'Welcome credits' else 'Kulanz nach Ausfall' end as comment,
    timestamptz 'epoch' + (e.at_us + 1874000) * interval '1 microsecond' as created_at
from crowd_episodes as e
where e.admin_id is not null
order by e.admin_id
