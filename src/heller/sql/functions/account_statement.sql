create or replace function heller.account_statement(
  p_account_id text, p_from timestamptz, p_until timestamptz, p_unit text default 'credit', p_after jsonb default null, p_limit integer default 1000
) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_limit integer := least(greatest(p_limit, 1), 10000);
  v_after_at timestamptz := coalesce((p_after ->> 'at')::timestamptz, p_from);
  v_after_seq bigint := coalesce((p_after ->> 'seq')::bigint, 0);
  v_first bigint;
  v_end bigint;
  v_step bigint := v_limit + 100;
  v_stop bigint;
  v_stop_at timestamptz;
  v_lines jsonb;
begin
  if p_from is null or p_until is null or p_until <= p_from then
    perform heller._fail('HL001', 'a statement is for a period: from before until', '{"argument": "until"}');
  end if;
  perform from heller.accounts where account_id = p_account_id and unit = p_unit;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  end if;
  select b.first_seq, b.end_seq into v_first, v_end from heller._seqs_between(p_account_id, p_unit, v_after_at, p_until) b;
  loop
    -- a piece of the period that has a page of lines: what counts before the row at v_stop lies before it, or has a filed_at
    v_stop := least(v_first + v_step, v_end);
    v_stop_at := p_until;
    if v_stop < v_end then
      select coalesce(t.filed_at, t.effective_at) into v_stop_at
      from heller.transactions t where t.account_id = p_account_id and t.unit = p_unit and t.seq = v_stop;
    end if;
    select jsonb_agg(heller._result(row(t.*)::heller.transactions) order by t.effective_at, t.seq) into v_lines
    from (
      select p.* from (
        (select x.* from heller.transactions x
         where x.account_id = p_account_id and x.unit = p_unit and x.seq >= v_first and x.seq < v_stop
           and x.effective_at < v_stop_at and (x.effective_at, x.seq) > (v_after_at, v_after_seq))
        union all
        (select x.* from heller.transactions x
         where x.account_id = p_account_id and x.unit = p_unit and x.filed_at is not null and x.effective_at < v_stop_at
           and (x.effective_at, x.seq) > (v_after_at, v_after_seq) and (x.seq < v_first or x.seq >= v_stop)
         order by x.effective_at, x.seq limit v_limit)
      ) p
      order by p.effective_at, p.seq limit v_limit) t;
    exit when v_stop = v_end or jsonb_array_length(v_lines) = v_limit;
    v_step := v_step * 4;  -- many count at one instant
  end loop;
  return jsonb_build_object('account', p_account_id, 'unit', p_unit, 'from', p_from, 'until', p_until,
    'opening', case when p_after is null then heller._posted_before(p_account_id, p_unit, p_from) end,
    'closing', case when p_after is null then heller._posted_before(p_account_id, p_unit, p_until) end,
    'lines', coalesce(v_lines, '[]'), 'after', case when jsonb_array_length(v_lines) = v_limit then
      jsonb_build_object('at', v_lines -> -1 -> 'effective_at', 'seq', v_lines -> -1 -> 'seq') end);
end $$;
comment on function heller.account_statement(text, timestamptz, timestamptz, text, jsonb, integer) is
  'One period of an account by effective_at: opening, lines, closing. Pages: after is where the next one starts; opening and closing come with the first.';
