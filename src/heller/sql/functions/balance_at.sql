create or replace function heller.balance_at(p_account_id text, p_at timestamptz, p_unit text default 'credit') returns bigint
language sql stable security definer set search_path = pg_catalog as $$
  select coalesce(sum(delta), 0)::bigint from heller.transactions
  where account_id = p_account_id and unit = p_unit and effective_at <= p_at
$$;
comment on function heller.balance_at(text, timestamptz, text) is 'posted as of a past instant, by effective_at, with what is known now.';
