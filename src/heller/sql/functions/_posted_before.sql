create or replace function heller._posted_before(p_account_id text, p_unit text, p_at timestamptz) returns numeric
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_seq bigint := heller._seq_at(p_account_id, p_unit, p_at);
begin
  return coalesce((select balance_after from heller.transactions where account_id = p_account_id and unit = p_unit and seq = v_seq - 1), 0)
       + coalesce((select sum(delta) from heller.transactions
                   where account_id = p_account_id and unit = p_unit and filed_at is not null and effective_at < p_at and seq >= v_seq), 0)
       - coalesce((select sum(delta) from heller.transactions
                   where account_id = p_account_id and unit = p_unit and filed_at is not null and effective_at >= p_at and seq < v_seq), 0);
end $$;
comment on function heller._posted_before(text, text, timestamptz) is
  'The sum of what counts before an instant: the balance where it lies in the order of time, and what came out of that order.';
