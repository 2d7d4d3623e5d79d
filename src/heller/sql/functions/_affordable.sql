create or replace function heller._affordable(a heller.accounts, p_amount bigint, p_allow_partial boolean, p_min_available_after bigint) returns bigint
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_available bigint := a.posted - a.held + a.overdraft_limit;
  v_free bigint := v_available - coalesce(p_min_available_after, 0);
begin
  if p_amount <= v_free then return p_amount; end if;
  if p_allow_partial and v_free > 0 then return v_free; end if;
  perform heller._fail('HL002', format('%s credits are needed and %s are available', p_amount, v_free),
    jsonb_build_object('account', a.account_id, 'required', p_amount, 'available', v_available, 'held', a.held));
end $$;
comment on function heller._affordable(heller.accounts, bigint, boolean, bigint) is
  'How much of an amount an account can give now: all, with p_allow_partial what is there, else it refuses; p_min_available_after stays.';
