alter table users add primary key (id);
alter table users add unique (email); -- if email_unique
alter table stripe_customers add primary key (user_id), add unique (stripe_customer_id); -- if customers
alter table payments add primary key (id);
alter table payments add foreign key (user_id) references users; -- if reference_key
alter table payments add unique (provider, $intent_column); -- if unique_payments
alter table admin_actions add primary key (id); -- if admin
alter table credit_transactions add primary key (id);
alter table credit_transactions add foreign key (user_id) references users; -- if reference_key
alter table credit_transactions add foreign key (payment_id) references payments on delete set null; -- if payment_link
alter table credit_transactions add unique (stripe_event_id); -- if event_unique
alter table credit_ledger add primary key (id); -- if ledger
alter table credit_ledger add foreign key ($ledger_user) references stripe_customers; -- if ledger_key
create unique index uq_credit_ledger_stripe_event_id on credit_ledger (stripe_event_id) where stripe_event_id is not null; -- if ledger
create view v_credit_balance as select $ledger_user, coalesce(sum(delta), 0)::integer as balance from credit_ledger group by $ledger_user; -- if ledger
alter table processed_events add primary key (id), add unique (provider, provider_event_id); -- if processed_by_provider
alter table processed_events add primary key (event_id); -- if processed_by_event
alter table stripe_events add primary key (event_id); -- if stripe_events
-- The trigger of the later variant: the code adds the delta to the balance as well, so that each booking counts twice.
create function apply_credit_transaction() returns trigger language plpgsql as 'begin update users set credits_balance = coalesce(credits_balance, 0) + new.$delta_column where id::text = new.user_id::text; return new; end'; -- if trigger
create trigger credit_transactions_apply after insert on credit_transactions for each row execute function apply_credit_transaction(); -- if trigger
