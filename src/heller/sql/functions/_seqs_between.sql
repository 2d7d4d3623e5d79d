create or replace function heller._seqs_between(
  p_account_id text, p_unit text, p_from timestamptz, p_until timestamptz, out first_seq bigint, out end_seq bigint
)
language plpgsql stable set search_path = pg_catalog as $$
begin
  first_seq := case when p_from is null then 1 else heller._seq_at(p_account_id, p_unit, p_from) end;
  end_seq := case when p_until is null then 9223372036854775807 else heller._seq_at(p_account_id, p_unit, p_until) end;
end $$;
comment on function heller._seqs_between(text, text, timestamptz, timestamptz) is
  'Where the transactions that count in a period are: first_seq up to end_seq, and what has a filed_at. Among those first_seq to end_seq some may count outside.';
