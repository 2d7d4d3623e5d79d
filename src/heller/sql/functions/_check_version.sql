create or replace function heller._check_version(a heller.accounts, p_if_version bigint, p_even_frozen boolean default false) returns void
language plpgsql stable set search_path = pg_catalog as $$
begin
  if not p_even_frozen then perform heller._refuse_frozen(a); end if;
  if p_if_version <> a.version then
    perform heller._fail('HL014', format('account %s is at version %s, not %s', a.account_id, a.version, p_if_version),
                         jsonb_build_object('account', a.account_id, 'expected', p_if_version, 'actual', a.version));
  end if;
end $$;
comment on function heller._check_version(heller.accounts, bigint, boolean) is 'Refuses when the account is frozen (unless told), or the caller expected another version.';
