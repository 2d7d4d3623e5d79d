select
    %(ledger_before)s::bigint + row_number() over (order by l.us, l.n, l.j, l.part) as id,
    l.uid as user_ref, l.delta, l.reason, l.event,
    timestamptz 'epoch' + l.us * interval '1 microsecond' as created_at
from (
    select
        e.n, e.j, part, e.uid, e.at_us + 1874321 + (part - 1) * 1000001 as us,
        case when part = 1 then e.credits when e.kind in ('refunded', 'chargeback') then - e.credits else - e.spent end as delta,
        case
            when part = 2 then case when e.kind in ('refunded', 'chargeback') then 'refund' else 'usage' end
            when e.kind = 'admin' then 'seed'
            else 'purchase:price_' || e.pack
        end as reason,
        case when part = 1 and e.kind <> 'admin' then 'evt_1' || substr(e.digits, 9, 23) end as event
    from crowd_episodes as e
    cross join generate_series(1, 2) as part
    where e.steps > 0
) as l
where l.delta <> 0
order by 1
