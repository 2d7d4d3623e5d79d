create or replace function heller.claim_homes(p_system text, p_accounts text[] default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_claimed bigint;
  v_own text[];
begin
  perform heller._refuse_spread('users are moved here');
  with candidates as (
    select a.account_id, a.unit,
           bool_or(t.source_system = p_system) as copied,
           bool_or(t.source_system is distinct from p_system) as own
    from heller.accounts a
    join heller.transactions t on t.account_id = a.account_id and t.unit = a.unit
    where a.epoch is null and a.unit = 'credit' and a.user_id is not null and (p_accounts is null or a.account_id = any (p_accounts))
    group by a.account_id, a.unit
  ), claimed as (
    update heller.accounts a set epoch = 0 from candidates c
    where a.account_id = c.account_id and a.unit = c.unit and a.epoch is null and c.copied and not c.own
    returning a.account_id, a.posted
  ), noted as (
    insert into heller.homes (account_id, source_system) select account_id, p_system from claimed
    on conflict (account_id) do nothing returning 1
  )
  select (select count(*) from claimed),
         (select (array_agg(account_id order by account_id))[1:100] from candidates where copied and own)
  into v_claimed, v_own;
  return jsonb_build_object('claimed', v_claimed, 'own', coalesce(to_jsonb(v_own), '[]'));
end $$;
comment on function heller.claim_homes(text, text[]) is
  'Marks copied accounts as at home in the legacy system: from now on they change here only by a handover. own names accounts that have transactions of heller''s own already; they are left alone.';
