select
    e.payment_id as id, e.uid as user_ref,
    'pi_3' || substr(e.digits, 1, 23) as intent,
    'cs_live_a1' || e.digits as session,
    e.cents, %(currency)s::text as currency, e.credits, e.status,
    '{"object":"checkout.session","customer":"' || e.customer || '","client_reference_id":"' || e.uid
    || '","customer_details":{"email":"' || e.email || '"}}' as raw,
    timestamptz 'epoch' + e.at_us * interval '1 microsecond' as created_at,
    timestamptz 'epoch' + (e.at_us + case when e.kind = 'credited' then 1874321 when e.steps > 0 then 1874321 + e.gap_us else 0 end) * interval '1 microsecond' as updated_at
from crowd_episodes as e
where e.payment_id is not null
order by e.payment_id
