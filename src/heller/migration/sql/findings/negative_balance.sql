-- Users who owe credits.
select id as key, id as account, balance as credits, jsonb_build_object('email', email, 'history', transactions) as detail
from heller_staging.history where balance < 0
