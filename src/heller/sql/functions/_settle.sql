create or replace function heller._settle(a heller.accounts) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  v_left bigint := a.settled_posted - a.posted;
begin
  if a.settled_seq = a.last_seq then return a; end if;
  perform heller._draw(a, v_left, a.settled_seq + 1, a.last_seq, a.settled_posted);
  update heller.accounts set settled_seq = last_seq, settled_posted = posted
  where account_id = a.account_id and unit = a.unit returning * into a;
  return a;
end $$;
comment on function heller._settle(heller.accounts) is
  'Lays the spends since settled_seq over the grants in burn-down order. Between two changes of the order the order is fixed, so their sum can be laid at once.';
