create or replace function heller.events(
  p_after jsonb default null, p_limit integer default 100, p_account_id text default null, p_kinds text[] default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_limit integer := least(greatest(coalesce(p_limit, 100), 1), 1000);
  v_horizon timestamptz := heller._horizon();
  v_position jsonb := p_after;
  v_until timestamptz;
  v_step interval := interval '10 minutes';
  v_events jsonb;
  v_count integer := 0;
begin
  if p_after is not null and not coalesce(jsonb_typeof(p_after) = 'object' and p_after ?& array['at', 'account', 'unit', 'seq'], false) then
    perform heller._fail('HL001', 'after is the position an earlier call answered', '{"argument": "after"}');
  end if;
  if v_position is null then
    v_position := jsonb_build_object('at', (select min(opened_at) - interval '1 day' from heller.accounts), 'account', '', 'unit', '', 'seq', 0);
  end if;
  if v_horizon is null or v_position ->> 'at' is null then
    return jsonb_build_object('events', '[]'::jsonb, 'position', p_after, 'horizon', v_horizon);
  end if;
  -- a growing window of time: the BRIN index finds it without a look at the rest
  v_until := (v_position ->> 'at')::timestamptz;
  loop
    v_until := least(v_until + v_step, v_horizon);
    v_step := v_step * 4;
    select jsonb_agg(heller._result(e) - 'available' - 'replayed' || jsonb_build_object('id', format('%s:%s:%s', e.account_id, e.unit, e.seq),
                                                                           'type', 'transaction.' || e.kind)
                     order by e.recorded_at, e.account_id, e.unit, e.seq), count(*) into v_events, v_count
    from heller._events_between(v_position, v_until, v_limit, p_account_id, p_kinds) e;
    exit when v_count = v_limit or v_until >= v_horizon;
  end loop;
  if v_count > 0 then
    v_position := jsonb_build_object('at', v_events -> -1 -> 'recorded_at', 'account', v_events -> -1 -> 'account', 'unit', v_events -> -1 -> 'unit',
                                     'seq', v_events -> -1 -> 'seq');
  elsif v_until > (v_position ->> 'at')::timestamptz then  -- nothing there: the next call need not look again
    v_position := jsonb_build_object('at', v_until, 'account', '', 'unit', '', 'seq', 0);
  end if;
  return jsonb_build_object('events', coalesce(v_events, '[]'), 'position', v_position, 'horizon', v_horizon);
end $$;
comment on function heller.events(jsonb, integer, text, text[]) is
  'What happened, in the order of recording, behind a position (null: from the beginning) and the position to go on from. No event is skipped, however late its transaction commits; an event is shown when nothing older can come any more.';
