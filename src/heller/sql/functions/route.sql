create or replace function heller.route(p_account_id text, p_unit text default 'credit') returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  h heller.homes;
begin
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  if not found then
    return jsonb_build_object('account', p_account_id, 'home', 'unknown', 'epoch', null);
  end if;
  select * into h from heller.homes where account_id = p_account_id;
  return jsonb_build_object('account', p_account_id, 'epoch', a.epoch, 'home', case
    when a.epoch is null or a.epoch % 2 = 1 then 'heller'
    when a.epoch > 0 and h.returned_at is null then 'moving'
    when h.quarantined_at is not null then 'moving'
    else 'legacy' end);
end $$;
comment on function heller.route(text, text) is
  'Which home serves an account, as this side knows it: heller, legacy, moving, or unknown (never seen here). legacy may already be sealed there: then the fence says so.';
