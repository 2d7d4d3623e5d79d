create or replace function heller._refuse_frozen(a heller.accounts) returns void
language plpgsql stable set search_path = pg_catalog as $$
begin
  if a.frozen_at is not null then
    perform heller._fail('HL005', format('account %s is frozen: %s', a.account_id, a.frozen_reason),
                         jsonb_build_object('account', a.account_id, 'reason', a.frozen_reason));
  end if;
end $$;
comment on function heller._refuse_frozen(heller.accounts) is
  'Refuses a change of a frozen account. The verbs ask after looking for a replay: what was done before the freeze is still answered.';
