create or replace function heller._counting_between(p_account_id text, p_unit text, p_from timestamptz, p_until timestamptz)
returns setof heller.transactions
language sql stable as $$  -- no settings of its own: it becomes part of the query that asks
  with r as materialized (select b.first_seq, b.end_seq from heller._seqs_between(p_account_id, p_unit, p_from, p_until) b)
  select t.* from r cross join heller.transactions t
  where t.account_id = p_account_id and t.unit = p_unit and t.seq >= r.first_seq and t.seq < r.end_seq
    and t.effective_at >= coalesce(p_from, '-infinity') and t.effective_at < coalesce(p_until, 'infinity')
  union all
  select t.* from r cross join heller.transactions t
  where t.account_id = p_account_id and t.unit = p_unit and t.filed_at is not null and (t.seq < r.first_seq or t.seq >= r.end_seq)
    and t.effective_at >= coalesce(p_from, '-infinity') and t.effective_at < coalesce(p_until, 'infinity')
$$;
comment on function heller._counting_between(text, text, timestamptz, timestamptz) is
  'The transactions that count in a period, in no order. Reads those recorded in it, and of the others the few that came out of the order of time.';
