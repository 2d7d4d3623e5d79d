create or replace function heller._take(
  p_account_id text, p_unit text, p_grant_id bigint, p_seq bigint, p_upper_balance bigint, p_amount bigint
) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  insert into heller.draws (account_id, unit, last_seq, grant_id, first_seq, upper_balance, lower_balance, amount)
  values (p_account_id, p_unit, p_seq, p_grant_id, p_seq, p_upper_balance, p_upper_balance - p_amount, p_amount);
  update heller.grants set remaining = remaining - p_amount
  where account_id = p_account_id and unit = p_unit and grant_id = p_grant_id;
end $$;
comment on function heller._take(text, text, bigint, bigint, bigint, bigint) is
  'Takes credits from one named grant (a negative amount puts them back), and writes down which transaction did.';
