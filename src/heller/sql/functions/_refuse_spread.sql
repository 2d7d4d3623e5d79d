create or replace function heller._refuse_spread(p_what text) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  if heller._is_spread() then
    perform heller._fail('HL012', format('%s while the ledger lies on one server: do it before heller schema apply --citus', p_what),
                         '{"limit": "cluster"}');
  end if;
end $$;
comment on function heller._refuse_spread(text) is 'Refuses on a Citus cluster what has been made for one server only.';
