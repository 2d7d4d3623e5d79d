create or replace function heller.find_accounts(
  p_text text default null, p_state text default null, p_after text default '', p_limit integer default 50
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog
set plan_cache_mode = force_custom_plan as $$  -- each kind of question has its own index
declare
  v_text text := nullif(trim(p_text), '');
  v_lower text := lower(nullif(trim(p_text), ''));
  v_end constant text := chr(1114111);  -- sorts after whatever may follow a beginning
  v_limit integer := least(greatest(p_limit, 1), 1000);
  v_names_max constant integer := 10000;  -- whoever asks for so many has typed too little
begin
  if p_state is not null and p_state not in ('frozen', 'quarantined') then
    perform heller._fail('HL001', format('state %s is not frozen or quarantined', p_state), '{"argument": "state"}');
  end if;
  if v_text is null and p_state = 'quarantined' then
    return query
      with page as (
        select distinct a.account_id from heller.homes h join heller.accounts a on a.account_id = h.account_id
        where h.quarantined_at is not null and h.account_id > p_after order by a.account_id limit v_limit)
      select heller._account_result(row(a.*)::heller.accounts) || jsonb_build_object('home', heller.route(a.account_id, a.unit) ->> 'home', 'matched', null)
      from page p join heller.accounts a on a.account_id = p.account_id order by a.account_id, a.unit;
    return;
  elsif v_text is null then
    return query
      with page as (
        select distinct a.account_id from heller.accounts a
        where a.account_id > p_after and (p_state is null or a.frozen_at is not null) order by a.account_id limit v_limit)
      select heller._account_result(row(a.*)::heller.accounts) || jsonb_build_object('home', heller.route(a.account_id, a.unit) ->> 'home', 'matched', null)
      from page p join heller.accounts a on a.account_id = p.account_id
      where p_state is null or a.frozen_at is not null
      order by a.account_id, a.unit;
    return;
  end if;
  return query
    with known_users as (
      select n.user_id, min(n.kind || ': ' || n.name) as matched from (
        (select i.user_id, i.kind, i.name from heller.identities i where i.name >= v_text and i.name < v_text || v_end order by i.name limit v_names_max)
        union all
        (select i.user_id, i.kind, i.name from heller.identities i where i.kind = 'email' and i.name >= v_lower and i.name < v_lower || v_end order by i.name limit v_names_max)
        union all
        (select u.id, 'user', u.id from heller.users u where u.id >= v_text and u.id < v_text || v_end order by u.id limit v_names_max)
      ) n group by n.user_id
    ), found as (
      (select distinct a.account_id, 'account: ' || a.account_id as matched, 1 as rank from heller.accounts a
       where a.account_id >= v_text and a.account_id < v_text || v_end and a.account_id > p_after
         and (p_state is distinct from 'frozen' or a.frozen_at is not null)
         and (p_state is distinct from 'quarantined' or exists (
           select from heller.homes h where h.account_id = a.account_id and h.quarantined_at is not null))
       order by a.account_id limit v_limit)
      union all
      select a.account_id, u.matched, 2 from known_users u join heller.accounts a on a.user_id = u.user_id
      union all
      select p.account_id, 'payment: ' || p.payment_key, 3 from heller.payments p where p.payment_key = v_text
      union all
      select p.account_id, 'payment: ' || p.payment_key, 3 from heller.payments p where p.provider = 'stripe' and p.stripe_account = '' and p.payment_intent = v_text
      union all
      select o.account_id, 'order: ' || o.order_id, 4 from heller.orders o where o.order_id = v_text
      union all
      select o.account_id, 'order: ' || o.order_id, 4 from heller.orders o where o.checkout_session = v_text
    ), best as (
      select distinct on (f.account_id) f.account_id, f.matched from found f order by f.account_id, f.rank
    ), page as (
      select distinct b.account_id, b.matched from best b join heller.accounts a on a.account_id = b.account_id
      where a.account_id > p_after
        and (p_state is distinct from 'frozen' or a.frozen_at is not null)
        and (p_state is distinct from 'quarantined' or exists (
          select from heller.homes h where h.account_id = a.account_id and h.quarantined_at is not null))
      order by b.account_id limit v_limit
    )
    select heller._account_result(row(a.*)::heller.accounts) || jsonb_build_object('home', heller.route(a.account_id, a.unit) ->> 'home', 'matched', p.matched)
    from page p join heller.accounts a on a.account_id = p.account_id
    where p_state is distinct from 'frozen' or a.frozen_at is not null
    order by a.account_id, a.unit;
end $$;
comment on function heller.find_accounts(text, text, text, integer) is
  'Accounts by the beginning of their id, of their user''s id or of any name of that user, or by a payment, checkout session or order; without text all, by id. state: frozen or quarantined. A page ends with the last unit of an account, so it may be a little longer than p_limit; the next one starts after its last account. Of names that begin so, the first 10,000 count.';
