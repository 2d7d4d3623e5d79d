insert into crowd_episodes
select
    w.n, w.j, w.uid, w.email, w.customer, w.kind,
    case
        when w.kind <> 'credited' then upper(w.kind)
        when w.g & 3 = 0 then 'PAID'
        else 'CREDITED'
    end,
    w.at_us, w.gap_us, w.credits, w.cents, w.pack, w.spends, w.steps, w.turn, w.spent, w.net,
    coalesce(sum(w.net) over (partition by w.n order by w.j rows between unbounded preceding and 1 preceding), 0),
    md5(%(seed)s || ':payment:' || w.n || ':' || w.j),
    case when w.kind <> 'admin' then %(payments_before)s::bigint + count(*) filter (where w.kind <> 'admin') over by_time end,
    case when w.kind = 'admin' then %(admin_before)s::bigint + count(*) filter (where w.kind = 'admin') over by_time end,
    case
        when w.kind in ('credited', 'refunded', 'chargeback')
        then %(events_before)s::bigint + count(*) filter (where w.kind in ('credited', 'refunded', 'chargeback')) over by_time
    end
from (
    select
        e.*,
        case
            when e.kind in ('credited', 'admin') then 1 + e.spends
            when e.kind in ('refunded', 'chargeback') then 2
            else 0
        end as steps,
        (%(sums)s::integer[])[1 + e.turn + e.spends] - (%(sums)s::integer[])[1 + e.turn] as spent,
        case
            when e.kind in ('credited', 'admin')
            then e.credits - ((%(sums)s::integer[])[1 + e.turn + e.spends] - (%(sums)s::integer[])[1 + e.turn])
            else 0
        end as net
    from (
        select
            k.*,
            case
                when k.kind in ('credited', 'admin')
                then mod((k.h >> 14) & 1023, least(k.credits / 15, 15) + 1)::integer
                else 0
            end as spends,
            ((k.h >> 24) & 31)::integer as turn
        from (
            select
                p.n, j.j, p.uid, p.email, p.customer, r.h, r.g,
                case
                    when r.h & 1023 < 140 then 'admin'
                    when r.h & 1023 < 160 then 'init'
                    when r.h & 1023 < 185 then 'failed'
                    when r.h & 1023 < 200 then 'canceled'
                    when r.h & 1023 < 240 then 'refunded'
                    when r.h & 1023 < 255 then 'chargeback'
                    else 'credited'
                end as kind,
                p.joined_us + j.j * 2332800000000 + (r.g & 1099511627775) as at_us,
                61234567 + ((r.g >> 40) & 1048575) * 59999 as gap_us,
                (%(pack_credits)s::integer[])[1 + ((r.h >> 10) & 15)] as credits,
                (%(pack_cents)s::integer[])[1 + ((r.h >> 10) & 15)] as cents,
                (%(pack_names)s::text[])[1 + ((r.h >> 10) & 15)] as pack
            from crowd_people as p
            cross join lateral generate_series(0, p.episodes - 1) as j (j)
            cross join lateral (
                select
                    hashint8extended(p.n * 8 + j.j, %(seed)s::bigint + 2) as h,
                    hashint8extended(p.n * 8 + j.j, %(seed)s::bigint + 3) as g
            ) as r
        ) as k
    ) as e
) as w
window by_time as (order by w.at_us, w.n, w.j)
order by w.at_us, w.n, w.j
