-- Users made up for a payment whose buyer was not found; 'named' are users the payment's own data name.
select h.id as key, h.id as account, h.balance as credits,
       jsonb_build_object('email', h.email, 'payments', count(distinct f.id), 'named', jsonb_agg(distinct n.user_id) filter (where n.user_id is not null)) as detail
from heller_staging.history h
left join heller_staging.facts f on f.user_id = h.id
left join heller_staging.told t on t.id = f.id
left join heller_staging.names n on n.name = t.name and n.user_id <> h.id and n.level = 1
where h.ghost
group by h.id, h.balance, h.email
