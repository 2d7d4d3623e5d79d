select
    p.uid as id, p.email, p.name, coalesce(b.balance, 0) as balance, p.customer,
    timestamptz 'epoch' + p.joined_us * interval '1 microsecond' as created_at
from crowd_people as p
left join (select n, sum(net) as balance from crowd_episodes group by n) as b on b.n = p.n
order by p.n
