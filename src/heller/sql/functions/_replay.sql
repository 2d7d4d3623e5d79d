create or replace function heller._replay(p_account_id text, p_key text, p_request jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog as $$
declare
  t heller.transactions;
  g heller.grants;
  h heller.holds;
  o heller.outcomes;
  v_then jsonb;
  v_result jsonb;
  v_differs text;
begin
  if p_key is null then return null; end if;
  select * into t from heller.transactions where account_id = p_account_id and idempotency_key = p_key;
  if found then
    v_then := heller._request_of(t);
    v_result := heller._result(t) || coalesce(t.request -> 'result', '{}');
  else
    select * into h from heller.holds where account_id = p_account_id and idempotency_key = p_key;
    if found then
      v_then := heller._request_of_hold(h);
      v_result := heller._hold_result(h);
    else
      select * into g from heller.grants where account_id = p_account_id and idempotency_key = p_key;
      if found then
        v_then := heller._request_of_grant(g);
        v_result := heller._grant_result(g);
      else
        select * into o from heller.outcomes where account_id = p_account_id and idempotency_key = p_key;
        if not found then return null; end if;
        v_then := o.request;
        v_result := o.result;
      end if;
    end if;
  end if;
  v_differs := heller._differing(v_then, p_request || jsonb_build_object('metadata', nullif(p_request -> 'metadata', '{}')));
  if v_differs is not null then
    perform heller._fail('HL013', format('key %s was used for a different request: %s was %s and is now %s', p_key, v_differs,
                                         coalesce(v_then ->> v_differs, 'not given'), coalesce(p_request ->> v_differs, 'not given')),
                         jsonb_build_object('account', p_account_id, 'key', p_key, 'differs', v_differs));
  end if;
  return v_result || jsonb_build_object('replayed', true, 'available',
    (select x.posted - x.held + a.overdraft_limit from heller.accounts a, lateral heller._after_due(row(a.*)::heller.accounts) x
     where a.account_id = p_account_id and a.unit = v_result ->> 'unit'));
end $$;
comment on function heller._replay(text, text, jsonb) is
  'The first result of a key, marked replayed, with what is available now; null when the key is new; refuses a different request under it, naming the field.';
