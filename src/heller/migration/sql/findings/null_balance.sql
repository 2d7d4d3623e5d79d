-- Users whose balance is empty or cannot be read.
select h.id as key, h.id as account, h.transactions as credits,
       jsonb_build_object('email', h.email, 'history', h.transactions, 'odd', u.odd) as detail
from heller_staging.history h join heller_staging.users u on u.id = h.id
where h.balance is null
  and exists (select from heller_staging.users where balance is not null or odd is not null)
