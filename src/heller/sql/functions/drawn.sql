create or replace function heller.drawn(p_account_id text, p_seq bigint, p_unit text default 'credit') returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select coalesce(jsonb_agg(jsonb_build_object('grant', d.grant_id, 'amount', d.amount) order by d.place), '[]')
  from heller.accounts a, heller.transactions o, lateral heller._drawn(row(a.*)::heller.accounts, row(o.*)::heller.transactions) d
  where a.account_id = p_account_id and a.unit = p_unit and o.account_id = p_account_id and o.unit = p_unit and o.seq = p_seq and o.delta < 0
$$;
comment on function heller.drawn(text, bigint, text) is 'Which grants paid a spend (or another transaction that took credits), in burn-down order.';
