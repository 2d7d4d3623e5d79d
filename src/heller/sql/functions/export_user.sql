create or replace function heller.export_user(p_user_id text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  u heller.users;
  a heller.accounts;
  v_grants jsonb;
  v_holds jsonb;
  v_recurring jsonb;
  v_identities jsonb;
  v_memberships jsonb;
  v_accounts jsonb := '[]';
begin
  select * into u from heller.users where id = p_user_id;
  if not found then
    perform heller._fail('HL003', format('there is no user %s', p_user_id), jsonb_build_object('account', p_user_id));
  end if;
  -- one statement for what lies in one place: Citus joins no table of the coordinator with one of another server
  for a in select * from heller.accounts x where x.user_id = p_user_id order by x.account_id, x.unit loop
    select coalesce(jsonb_agg(heller._grant_result(row(g.*)::heller.grants) order by g.grant_id), '[]') into v_grants
    from heller.grants g where g.account_id = a.account_id and g.unit = a.unit;
    select coalesce(jsonb_agg(heller._hold_result(row(h.*)::heller.holds) order by h.hold_id), '[]') into v_holds
    from heller.holds h where h.account_id = a.account_id and h.unit = a.unit;
    select coalesce(jsonb_agg(heller._recurring_grant_result(row(r.*)::heller.recurring_grants) order by r.name), '[]') into v_recurring
    from heller.recurring_grants r where r.account_id = a.account_id and r.unit = a.unit;
    v_accounts := v_accounts || jsonb_build_object('account', heller._account_result(a), 'grants', v_grants, 'holds', v_holds, 'recurring_grants', v_recurring,
      'orders', (select coalesce(jsonb_agg(to_jsonb(o) order by o.placed_at), '[]') from heller.orders o where o.account_id = a.account_id and o.unit = a.unit),
      'payments', (select coalesce(jsonb_agg(to_jsonb(p) order by p.created_at), '[]') from heller.payments p
                   where p.account_id = a.account_id and p.unit = a.unit));
  end loop;
  select coalesce(jsonb_agg(to_jsonb(i) - 'user_id' order by i.kind, i.name), '[]') into v_identities
  from heller.identities i where i.user_id = p_user_id;
  select coalesce(jsonb_agg(to_jsonb(m) order by m.account_id), '[]') into v_memberships from heller.members m where m.member_id = p_user_id;
  return jsonb_build_object('user', to_jsonb(u), 'identities', v_identities, 'accounts', v_accounts, 'memberships', v_memberships);
end $$;
comment on function heller.export_user(text) is
  'All that is kept of one person but the transactions, which are read by pages with history: names, accounts, grants, recurring grants, holds, orders, payments, memberships.';
