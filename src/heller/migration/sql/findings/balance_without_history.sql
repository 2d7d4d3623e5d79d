-- A balance, and not one row that says where it came from.
select id as key, id as account, balance as credits, jsonb_build_object('email', email) as detail
from heller_staging.history where balance <> 0 and transaction_rows = 0 and ledger_rows = 0
