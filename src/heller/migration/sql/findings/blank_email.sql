-- A user without an e-mail address.
select id as key, id as account, balance as credits, '{}'::jsonb as detail
from heller_staging.people where email is null
  and exists (select from heller_staging.people where email is not null)
