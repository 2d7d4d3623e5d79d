create or replace function heller.history(
  p_account_id text, p_unit text default 'credit', p_before_seq bigint default null, p_limit integer default 100,
  p_kinds text[] default null, p_from timestamptz default null, p_until timestamptz default null, p_text text default null,
  p_metadata jsonb default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._result(row(t.*)::heller.transactions) from heller.transactions t
  where t.account_id = p_account_id and t.unit = p_unit
    and (p_before_seq is null or t.seq < p_before_seq)
    and (p_kinds is null or t.kind = any (p_kinds))
    and (p_from is null or t.effective_at >= p_from) and (p_until is null or t.effective_at < p_until)
    and (p_text is null or strpos(lower(t.reason), lower(p_text)) > 0)
    and (p_metadata is null or t.metadata @> p_metadata)
  order by t.seq desc
  limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.history(text, text, bigint, integer, text[], timestamptz, timestamptz, text, jsonb) is
  'Transactions of an account, newest first, at most 1000 a call; the next page starts before the last seq of this one.';
