create or replace function heller._check_version(a heller.accounts, p_if_version bigint) returns void
language plpgsql stable set search_path = pg_catalog as $$
begin
  perform heller._refuse_frozen(a);
  if p_if_version <> a.version then
    perform heller._fail('HL014', format('account %s is at version %s, not %s', a.account_id, a.version, p_if_version),
                         jsonb_build_object('account', a.account_id, 'expected', p_if_version, 'actual', a.version));
  end if;
end $$;
comment on function heller._check_version(heller.accounts, bigint) is 'Refuses when the account is frozen, or the caller expected another version.';
