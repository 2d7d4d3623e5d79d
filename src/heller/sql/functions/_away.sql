create or replace function heller._away(a heller.accounts) returns jsonb
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_home text := heller.route(a.account_id, a.unit) ->> 'home';
begin
  return heller._error('HL016', case v_home when 'moving' then format('account %s is moving between heller and the legacy system', a.account_id)
                                            else format('account %s is at home in the legacy system', a.account_id) end,
                       jsonb_build_object('account', a.account_id, 'home', v_home, 'reason', 'home: ' || v_home));
end $$;
comment on function heller._away(heller.accounts) is 'The refusal of a change to an account whose home is not heller.';
