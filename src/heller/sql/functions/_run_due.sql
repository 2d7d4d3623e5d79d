create or replace function heller._run_due(a heller.accounts) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();
  v_due record;
  v_forfeit bigint;
  t heller.transactions;
  v_steps integer := 0;
begin
  for v_due in
    select 'hold' as what, hold_id as id, expires_at as at from heller.holds
    where account_id = a.account_id and unit = a.unit and state = 'open' and expires_at <= v_now
    union all
    select 'arrival', grant_id, available_at from heller.grants
    where account_id = a.account_id and unit = a.unit and seq is null and ended_at is null and available_at <= v_now
    union all
    select 'expiry', grant_id, expires_at from heller.grants
    where account_id = a.account_id and unit = a.unit and remaining > 0 and seq is not null and expires_at <= v_now
    union all
    select 'expiry', grant_id, expires_at from heller.grants
    where account_id = a.account_id and unit = a.unit and seq is null and ended_at is null and available_at <= v_now and expires_at <= v_now
    order by at, what, id
  loop
    v_steps := v_steps + 1;
    exit when v_steps > 10000;  -- the rest at the next call; next_due_at stays in the past
    select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
    if v_due.what = 'hold' then
      perform heller._close_hold(a.account_id, a.unit, v_due.id, 'expired', v_due.at);
    elsif v_due.what = 'arrival' then
      perform heller._arrive(a, v_due.id);
    else
      a := heller._settle(a);
      -- credits under a hold do not expire while it is open: they are promised
      select least(remaining, greatest(a.posted - a.held, 0)) into v_forfeit from heller.grants
      where account_id = a.account_id and unit = a.unit and grant_id = v_due.id;
      if v_forfeit > 0 then
        t := heller._post(a, -v_forfeit, 'expire', 'expired', 'heller', jsonb_build_object('grant', v_due.id),
                          p_effective_at => v_due.at, p_settled => true);
        perform heller._take(a.account_id, a.unit, v_due.id, t.seq, a.posted, v_forfeit);
      end if;
      update heller.grants set ended_at = v_due.at
      where account_id = a.account_id and unit = a.unit and grant_id = v_due.id and remaining = 0 and ended_at is null;
    end if;
  end loop;
  perform heller._reset_due(a.account_id, a.unit);
end $$;
comment on function heller._run_due(heller.accounts) is
  'Expires the holds and grants that are due and lets scheduled grants arrive, in the order of their instants. The account must be locked.';
