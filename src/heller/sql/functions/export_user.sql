create or replace function heller.export_user(p_user_id text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  u heller.users;
begin
  select * into u from heller.users where id = p_user_id;
  if not found then
    perform heller._fail('HL003', format('there is no user %s', p_user_id), jsonb_build_object('account', p_user_id));
  end if;
  return jsonb_build_object('user', to_jsonb(u),
    'identities', (select coalesce(jsonb_agg(to_jsonb(i) - 'user_id' order by i.kind, i.name), '[]') from heller.identities i where i.user_id = p_user_id),
    'accounts', (select coalesce(jsonb_agg(jsonb_build_object('account', heller._account_result(a),
      'grants', (select coalesce(jsonb_agg(heller._grant_result(g) order by g.grant_id), '[]') from heller.grants g
                 where g.account_id = a.account_id and g.unit = a.unit),
      'holds', (select coalesce(jsonb_agg(heller._hold_result(h) order by h.hold_id), '[]') from heller.holds h
                where h.account_id = a.account_id and h.unit = a.unit),
      'orders', (select coalesce(jsonb_agg(to_jsonb(o) order by o.placed_at), '[]') from heller.orders o where o.account_id = a.account_id and o.unit = a.unit),
      'payments', (select coalesce(jsonb_agg(to_jsonb(p) order by p.created_at), '[]') from heller.payments p
                   where p.account_id = a.account_id and p.unit = a.unit)) order by a.account_id, a.unit), '[]')
      from heller.accounts a where a.user_id = p_user_id),
    'memberships', (select coalesce(jsonb_agg(to_jsonb(m) order by m.account_id), '[]') from heller.members m where m.member_id = p_user_id));
end $$;
comment on function heller.export_user(text) is
  'All that is kept of one person but the transactions, which are read by pages with history: names, accounts, grants, holds, orders, payments, memberships.';
