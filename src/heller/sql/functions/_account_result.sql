create or replace function heller._account_result(a heller.accounts) returns jsonb
language plpgsql stable parallel safe set search_path = pg_catalog as $$
declare
  v_posted bigint := (a).posted;
  v_held bigint := (a).held;
begin
  if (a).next_due_at <= heller._clock() then
    select posted, held into v_posted, v_held from heller._after_due(a);
  end if;
  return jsonb_build_object('account', (a).account_id, 'unit', (a).unit, 'user', (a).user_id, 'posted', v_posted,
    'held', v_held, 'available', v_posted - v_held + (a).overdraft_limit, 'overdraft_limit', (a).overdraft_limit,
    'version', (a).version, 'transactions', (a).last_seq, 'frozen', (a).frozen_at is not null, 'frozen_reason', (a).frozen_reason,
    'opened_at', (a).opened_at, 'metadata', (a).metadata);
end $$;
comment on function heller._account_result(heller.accounts) is 'An account as it stands at this instant, what is due and not yet done included.';
