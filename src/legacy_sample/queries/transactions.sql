select
    %(transactions_before)s::bigint + row_number() over (order by t.us, t.n, t.j, t.i) as id,
    t.uid as user_ref,
    case when t.i = 0 or t.refund then t.payment_id end as payment_id,
    case when t.i = 0 or t.refund then 'pi_3' || substr(t.digits, 1, 23) end as intent,
    case when t.i = 0 then t.admin_id end as admin_action_id,
    case
        when t.payment_id is null then null
        when t.i = 0 then 'evt_1' || substr(t.digits, 9, 23)
        when t.refund then 'evt_2' || substr(t.digits, 9, 23)
    end as event,
    t.delta,
    case
        when t.i = 0 then case when t.kind = 'admin' then 'ADMIN' else 'PURCHASE' end
        when t.refund then case when t.kind = 'refunded' then 'REFUND' else 'CHARGEBACK' end
        when t.delta = -10 then 'resume_analysis'
        when t.delta = -5 then 'job_match'
        else 'resume_improvement'
    end as reason,
    case
        when t.i = 0 or t.refund then '{}'
        when t.delta = -10 then '{"feature": "resume_analysis", "model": "base"}'
        when t.delta = -5 then '{"feature": "job_match"}'
        else '{"feature": "resume_improvement", "pages": 2}'
    end as meta,
    t.before + t.after - t.delta as balance_before,
    t.before + t.after as balance_after,
    timestamptz 'epoch' + t.us * interval '1 microsecond' as created_at
from (
    select
        e.n, e.j, i.i, e.uid, e.payment_id, e.admin_id, e.digits, e.kind, e.before,
        e.kind in ('refunded', 'chargeback') and i.i = 1 as refund,
        e.at_us + 1874321 + i.i * e.gap_us as us,
        case
            when i.i = 0 then e.credits
            when e.kind in ('refunded', 'chargeback') then - e.credits
            else - (%(costs)s::integer[])[e.turn + i.i]
        end as delta,
        case
            when e.kind in ('refunded', 'chargeback') then case when i.i = 0 then e.credits else 0 end
            else e.credits - ((%(sums)s::integer[])[1 + e.turn + i.i] - (%(sums)s::integer[])[1 + e.turn])
        end as after
    from crowd_episodes as e
    cross join lateral generate_series(0, e.steps - 1) as i (i)
) as t
order by 1
