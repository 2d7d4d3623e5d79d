create or replace function heller.change_account(
  p_account_id text, p_overdraft_limit bigint default null, p_metadata jsonb default null, p_unit text default 'credit',
  p_if_version bigint default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
  v_result jsonb;
begin
  if p_dry_run then
    begin
      v_result := heller.change_account(p_account_id, p_overdraft_limit, p_metadata, p_unit, p_if_version);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, null, null, null, p_metadata);
  if p_overdraft_limit < 0 then
    perform heller._fail('HL001', 'overdraft_limit is negative; it says how far below zero a spend may go', '{"argument": "overdraft_limit"}');
  end if;
  a := heller._lock(p_account_id, p_unit, p_even_frozen => true);
  perform heller._check_version(a, p_if_version, p_even_frozen => true);
  if a.posted::numeric + p_overdraft_limit > 9223372036854775807 then
    perform heller._fail('HL012', format('account %s would hold more credits than can be counted', p_account_id), '{"limit": "bigint"}');
  end if;
  update heller.accounts set overdraft_limit = coalesce(p_overdraft_limit, overdraft_limit), version = version + 1,
    metadata = case when p_metadata is null then metadata else nullif(p_metadata, '{}') end
  where account_id = p_account_id and unit = p_unit
    and (overdraft_limit, metadata) is distinct from
        (coalesce(p_overdraft_limit, overdraft_limit), case when p_metadata is null then metadata else nullif(p_metadata, '{}') end);
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  return heller._account_result(a);
end $$;
comment on function heller.change_account(text, bigint, jsonb, text, bigint, boolean) is
  'Changes how far an account may go below zero, or its metadata; what is not given stays. Debt that is there already stays too: a lower limit only refuses new spends.';
