alter table users add primary key (id), add unique (email);
alter table payments add primary key (id), add foreign key (user_id) references users;
alter table credit_transactions add primary key (id), add foreign key (user_id) references users;
alter table credit_ledger add primary key (id);
create unique index uq_credit_ledger_stripe_event_id on credit_ledger (stripe_event_id) where stripe_event_id is not null;
create view v_credit_balance as select user_id, coalesce(sum(delta), 0)::integer as balance from credit_ledger group by user_id;
