select
    e.event_no as id, 'evt_1' || substr(e.digits, 9, 23) as event, 'checkout.session.completed' as type,
    'completed' as status, null as error,
    timestamptz 'epoch' + (e.at_us + 1874000) * interval '1 microsecond' as created_at
from crowd_episodes as e
where e.event_no is not null and mod(e.event_no, 3) = 0
order by e.event_no
