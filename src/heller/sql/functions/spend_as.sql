create or replace function heller.spend_as(
  p_account_id text, p_member_id text, p_amount bigint, p_reason text default null, p_key text default null, p_unit text default 'credit',
  p_metadata jsonb default null, p_dry_run boolean default false, p_allow_partial boolean default false, p_min_available_after bigint default null,
  p_effective_at timestamptz default null, p_if_version bigint default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  m heller.members;
  v_start timestamptz;
  v_spent bigint;
  v_amount bigint;
  v_result jsonb;
begin
  perform heller._check_text('member', p_member_id, 200), heller._check_amount('amount', p_amount);
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  select * into m from heller.members where account_id = p_account_id and unit = p_unit and member_id = p_member_id and left_at is null;
  if not found and not exists (select from heller.transactions where account_id = p_account_id and idempotency_key = p_key) then
    perform heller._fail('HL017', format('%s is no member of account %s', p_member_id, p_account_id),
                         jsonb_build_object('account', p_account_id, 'member', p_member_id));
  end if;
  v_result := heller.spend(p_account_id, p_amount, p_reason, p_key, p_unit, p_member_id, p_metadata, p_allow_partial, p_min_available_after,
                           p_effective_at, p_if_version, p_dry_run);
  if (v_result ->> 'replayed')::boolean then return v_result; end if;
  v_amount := -(v_result ->> 'delta')::bigint;
  v_start := heller._period_start(m.period, (v_result ->> 'effective_at')::timestamptz);
  select spent into v_spent from heller.member_spending
  where account_id = p_account_id and unit = p_unit and member_id = p_member_id and period_start = v_start;
  if coalesce(v_spent, 0)::numeric + v_amount > m.cap then
    perform heller._fail('HL012', format('%s has spent %s of %s credits of this %s, so %s more are too many', p_member_id, coalesce(v_spent, 0), m.cap,
                                         m.period, v_amount), jsonb_build_object('limit', 'member_cap'));
  end if;
  if not p_dry_run then
    insert into heller.member_spends (account_id, unit, seq, member_id, period_start)
    values (p_account_id, p_unit, (v_result ->> 'seq')::bigint, p_member_id, v_start);
    insert into heller.member_spending as s (account_id, unit, member_id, period_start, spent)
    values (p_account_id, p_unit, p_member_id, v_start, v_amount)
    on conflict (account_id, unit, member_id, period_start) do update set spent = s.spent + excluded.spent;
  end if;
  return v_result || jsonb_build_object('member_left', m.cap - coalesce(v_spent, 0) - v_amount);
end $$;
comment on function heller.spend_as(text, text, bigint, text, text, text, jsonb, boolean, boolean, bigint, timestamptz, bigint) is
  'A member of a team spends from its account, as far as the account has credits and the member''s cap allows. Refunds give the cap back.';
