create or replace function heller._count_for_member(p_account_id text, p_unit text, p_seq bigint, p_amount bigint) returns void
language sql set search_path = pg_catalog as $$
  with recursive chain (seq, related_seq) as (
    select t.seq, t.related_seq from heller.transactions t where t.account_id = p_account_id and t.unit = p_unit and t.seq = p_seq
    union all
    select t.seq, t.related_seq from chain c join heller.transactions t
      on t.account_id = p_account_id and t.unit = p_unit and t.seq = c.related_seq
  )
  update heller.member_spending s set spent = s.spent + p_amount
  from heller.member_spends m join chain c on m.seq = c.seq
  where m.account_id = p_account_id and m.unit = p_unit
    and s.account_id = p_account_id and s.unit = p_unit and s.member_id = m.member_id and s.period_start = m.period_start
$$;
comment on function heller._count_for_member(text, text, bigint, bigint) is
  'Counts credits, or gives them back (negative), in the cap of the member whose spend a transaction is, or goes back to: a refund, the undoing of a refund, and so on.';
