create or replace function heller.open_account(
  p_account_id text, p_unit text default 'credit', p_user_id text default null, p_overdraft_limit bigint default 0, p_metadata jsonb default null,
  p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  v_differs text;
  v_result jsonb;
begin
  if p_dry_run then
    begin
      v_result := heller.open_account(p_account_id, p_unit, p_user_id, p_overdraft_limit, p_metadata);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, null, null, null, p_metadata);
  if p_user_id is not null then perform heller._check_text('user', p_user_id, 200); end if;
  if p_unit !~ '^[a-z][a-z0-9_-]{0,39}$' then
    perform heller._fail('HL001', format('unit %s is not of the form a-z, 0-9, _ and -', p_unit), '{"argument": "unit"}');
  end if;
  if p_overdraft_limit is null or p_overdraft_limit < 0 then
    perform heller._fail('HL001', 'overdraft_limit is negative; it says how far below zero a spend may go', '{"argument": "overdraft_limit"}');
  end if;
  if p_user_id is not null then
    insert into heller.users (id) values (p_user_id) on conflict do nothing;
  end if;
  insert into heller.accounts (account_id, unit, user_id, overdraft_limit, metadata)
  values (p_account_id, p_unit, p_user_id, p_overdraft_limit, nullif(p_metadata, '{}'))
  on conflict do nothing returning * into a;
  if found then
    return heller._account_result(a) || '{"replayed": false}';
  end if;
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  v_differs := case when a.user_id is distinct from p_user_id then 'user'
                    when a.overdraft_limit <> p_overdraft_limit then 'overdraft_limit'
                    when a.metadata is distinct from nullif(p_metadata, '{}') then 'metadata' end;
  if v_differs is not null then
    perform heller._fail('HL004', format('account %s exists with another %s', p_account_id, v_differs),
                         jsonb_build_object('account', p_account_id, 'differs', v_differs));
  end if;
  return heller._account_result(a) || '{"replayed": true}';
end $$;
comment on function heller.open_account(text, text, text, bigint, jsonb, boolean) is
  'Opens an account for one unit. Opening it again with the same properties answers the account as it is, marked replayed.';
