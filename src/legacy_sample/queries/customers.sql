select p.uid as user_ref, p.customer, timestamptz 'epoch' + p.joined_us * interval '1 microsecond' as created_at
from crowd_people as p
where p.customer is not null
order by p.n
