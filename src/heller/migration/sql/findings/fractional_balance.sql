-- Users whose balance is no whole number of credits; what is carried is the next one up.
select h.id as key, h.id as account, h.balance as credits, jsonb_build_object('email', h.email, 'odd', u.odd) as detail
from heller_staging.history h join heller_staging.users u on u.id = h.id
where h.balance is not null and u.odd like '%balance "%'
