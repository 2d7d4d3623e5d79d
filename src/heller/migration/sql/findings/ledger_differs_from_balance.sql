-- The second history, which the pages sum up, says something else than the balance.
select id as key, id as account, balance - ledger as credits,
       jsonb_build_object('email', email, 'balance', balance, 'ledger', ledger) as detail
from heller_staging.history
where balance <> ledger and ledger_rows > 0
