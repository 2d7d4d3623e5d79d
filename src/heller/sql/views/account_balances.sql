create or replace view heller.account_balances as
  select account_id, unit, user_id, posted, held, posted - held + overdraft_limit as available, overdraft_limit, version,
         last_seq as transactions, frozen_at, frozen_reason, opened_at, next_due_at
  from heller.accounts;
comment on view heller.account_balances is
  'Accounts as stored. What is due since next_due_at is not yet subtracted here; heller.balance() is exact to the instant.';
