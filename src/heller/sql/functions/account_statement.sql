create or replace function heller.account_statement(
  p_account_id text, p_from timestamptz, p_until timestamptz, p_unit text default 'credit', p_after jsonb default null, p_limit integer default 1000
) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 10000);
  v_opening numeric;
  v_closing numeric;
  v_lines jsonb;
begin
  if p_from is null or p_until is null or p_until <= p_from then
    perform heller._fail('HL001', 'a statement is for a period: from before until', '{"argument": "until"}');
  end if;
  perform from heller.accounts where account_id = p_account_id and unit = p_unit;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  end if;
  if p_after is null then
    select coalesce(sum(delta) filter (where effective_at < p_from), 0), coalesce(sum(delta), 0) into v_opening, v_closing
    from heller.transactions where account_id = p_account_id and unit = p_unit and effective_at < p_until;
  end if;
  select jsonb_agg(heller._result(row(t.*)::heller.transactions) order by t.effective_at, t.seq) into v_lines
  from (select * from heller.transactions x
        where x.account_id = p_account_id and x.unit = p_unit and x.effective_at >= p_from and x.effective_at < p_until
          and (p_after is null or (x.effective_at, x.seq) > ((p_after ->> 'at')::timestamptz, (p_after ->> 'seq')::bigint))
        order by x.effective_at, x.seq limit v_limit) t;
  return jsonb_build_object('account', p_account_id, 'unit', p_unit, 'from', p_from, 'until', p_until, 'opening', v_opening, 'closing', v_closing,
    'lines', coalesce(v_lines, '[]'), 'after', case when jsonb_array_length(v_lines) = v_limit then
      jsonb_build_object('at', v_lines -> -1 -> 'effective_at', 'seq', v_lines -> -1 -> 'seq') end);
end $$;
comment on function heller.account_statement(text, timestamptz, timestamptz, text, jsonb, integer) is
  'One period of an account by effective_at: opening, lines, closing. Pages: after is where the next one starts; opening and closing come with the first.';
