-- The transactions add up to something else than the balance.
select id as key, id as account, balance - transactions as credits,
       jsonb_build_object('email', email, 'balance', balance, 'transactions', transactions) as detail
from heller_staging.history where balance <> transactions and transaction_rows > 0
