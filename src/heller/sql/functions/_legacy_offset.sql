create or replace function heller._legacy_offset(a heller.accounts, p_system text, p_elsewhere bigint) returns bigint
language sql stable set search_path = pg_catalog as $$
  select coalesce(
    (select h.our_balance - h.legacy_balance from heller.homes h where h.account_id = (a).account_id),
    (select sum(t.delta)::bigint from heller.transactions t
     where t.account_id = (a).account_id and t.unit = (a).unit and t.source_system = p_system and t.source_table = 'decision'), 0)
    + case when exists (select from heller.homes h where h.account_id = (a).account_id and h.our_balance is not null) then 0
           else greatest(p_elsewhere, 0) end
$$;
comment on function heller._legacy_offset(heller.accounts, text, bigint) is
  'By how much posted differs from the legacy balance on purpose: what the decisions of the migration added or took.';
