create or replace function heller._open_hold(p_account_id text, p_unit text, p_hold_id bigint) returns heller.holds
language plpgsql set search_path = pg_catalog as $$
declare
  h heller.holds;
begin
  select * into h from heller.holds where account_id = p_account_id and unit = p_unit and hold_id = p_hold_id;
  if not found then
    perform heller._fail('HL008', format('account %s has no hold %s', p_account_id, p_hold_id),
                         jsonb_build_object('account', p_account_id, 'hold', p_hold_id));
  elsif h.state <> 'open' then
    perform heller._fail('HL009', format('hold %s is %s since %s', p_hold_id, h.state, h.closed_at),
                         jsonb_build_object('account', p_account_id, 'hold', p_hold_id, 'state', h.state));
  end if;
  return h;
end $$;
comment on function heller._open_hold(text, text, bigint) is 'An open hold of a locked account, or the refusal that says what became of it.';
