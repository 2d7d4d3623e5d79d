create or replace function heller.balance_at(p_account_id text, p_at timestamptz, p_unit text default 'credit') returns bigint
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
begin
  if p_at is null then
    perform heller._fail('HL001', 'at is missing; it is the instant to look at', '{"argument": "at"}');
  end if;
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  end if;
  -- what is due by then and not yet done counts as done
  return heller._posted_before(p_account_id, p_unit, p_at + interval '1 microsecond')
         + (select x.posted - a.posted from heller._as_of(a, least(p_at, heller._clock())) x);
end $$;
comment on function heller.balance_at(text, timestamptz, text) is
  'posted as of a past instant, by effective_at, with what is known now; what expired by then is not counted, even when no worker has run.';
