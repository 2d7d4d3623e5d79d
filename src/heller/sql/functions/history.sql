create or replace function heller.history(
  p_account_id text, p_unit text default 'credit', p_before_seq bigint default null, p_limit integer default 100,
  p_kinds text[] default null, p_from timestamptz default null, p_until timestamptz default null, p_text text default null,
  p_metadata jsonb default null
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 1000);
  v_first bigint;
  v_end bigint;
begin
  perform heller._check_period(p_from, p_until);
  select b.first_seq, b.end_seq into v_first, v_end from heller._seqs_between(p_account_id, p_unit, p_from, p_until) b;
  return query
    select heller._result(row(t.*)::heller.transactions)
    from (
      (select x.* from heller.transactions x
       where x.account_id = p_account_id and x.unit = p_unit and x.seq >= v_first and x.seq < least(v_end, p_before_seq)
         and (p_from is null or x.effective_at >= p_from) and (p_until is null or x.effective_at < p_until)
         and (p_kinds is null or x.kind = any (p_kinds)) and (p_text is null or strpos(lower(x.reason), lower(p_text)) > 0)
         and (p_metadata is null or x.metadata @> p_metadata)
       order by x.seq desc limit v_limit)
      union all
      (select x.* from heller.transactions x  -- came out of the order of time, and lies elsewhere
       where x.account_id = p_account_id and x.unit = p_unit and x.filed_at is not null
         and x.effective_at >= coalesce(p_from, '-infinity') and x.effective_at < coalesce(p_until, 'infinity')
         and (p_from is not null or p_until is not null) and (x.seq < v_first or x.seq >= v_end) and (p_before_seq is null or x.seq < p_before_seq)
         and (p_kinds is null or x.kind = any (p_kinds)) and (p_text is null or strpos(lower(x.reason), lower(p_text)) > 0)
         and (p_metadata is null or x.metadata @> p_metadata)
       order by x.seq desc limit v_limit)
    ) t
    order by t.seq desc limit v_limit;
end $$;
comment on function heller.history(text, text, bigint, integer, text[], timestamptz, timestamptz, text, jsonb) is
  'Transactions of an account, newest first, at most 1000 a call; the next page starts before the last seq of this one.';
