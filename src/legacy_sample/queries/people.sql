insert into crowd_people
select
    p.n,
    {uid},
    (%(first_plain)s::text[])[1 + (p.h & 31)] || '.' || (%(last_plain)s::text[])[1 + ((p.h >> 5) & 31)] || '.' || p.n || '@'
    || (%(domains)s::text[])[1 + ((p.h >> 10) & 7)],
    (%(first_shown)s::text[])[1 + (p.h & 31)] || ' ' || (%(last_shown)s::text[])[1 + ((p.h >> 5) & 31)],
    case when p.episodes > 0 then 'cus_' || substr(md5(%(seed)s || ':customer:' || p.n), 1, 14) end,
    -- the first two years from September 2023; a person joins within the first 620 days
    1693612800000000 + mod((p.h >> 13) & 1125899906842623, 53568000000000),
    p.episodes
from (
    select
        s.n,
        s.h,
        case
            when s.h2 & 127 < 16 then 0
            when s.h2 & 127 < 64 then 1
            when s.h2 & 127 < 101 then 2
            when s.h2 & 127 < 117 then 3
            else 4
        end as episodes
    from (
        select n, hashint8extended(n, %(seed)s::bigint) as h, hashint8extended(n, %(seed)s::bigint + 1) as h2
        from generate_series(%(first)s::bigint, %(last)s::bigint) as n
        where not (mod(n, %(stride)s::bigint) = 0 and n / %(stride)s::bigint <= %(taken)s::bigint)
    ) as s
) as p
order by p.n
