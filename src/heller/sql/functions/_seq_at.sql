create or replace function heller._seq_at(p_account_id text, p_unit text, p_at timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_low bigint := 1;
  v_high bigint := coalesce((select last_seq from heller.accounts where account_id = p_account_id and unit = p_unit), 0) + 1;
  v_middle bigint;
begin
  while v_low < v_high loop
    v_middle := (v_low + v_high) / 2;
    if (select coalesce(filed_at, effective_at) >= p_at from heller.transactions
        where account_id = p_account_id and unit = p_unit and seq = v_middle) then
      v_high := v_middle;
    else
      v_low := v_middle + 1;
    end if;
  end loop;
  return v_low;
end $$;
comment on function heller._seq_at(text, text, timestamptz) is
  'Up to here the transactions of an account that came in the order of time count before an instant, and from here on not before it; found by halving.';
