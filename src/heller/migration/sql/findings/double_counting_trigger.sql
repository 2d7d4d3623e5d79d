-- Users whose balance is exactly twice their history, in a database whose trigger counts what the application counts too.
select id as key, id as account, transactions as credits, jsonb_build_object('balance', balance, 'transactions', transactions) as detail
from heller_staging.history where transactions > 0 and balance = 2 * transactions
