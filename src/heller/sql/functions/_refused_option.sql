create or replace function heller._refused_option(p_operation jsonb) returns jsonb
language plpgsql immutable set search_path = pg_catalog as $$
declare
  v_verb text;
  v_options text[];
  v_name text;
begin
  if jsonb_typeof(p_operation) is distinct from 'object' then
    return heller._error('HL001', format('an operation is a JSON %s; it must be an object', jsonb_typeof(p_operation)), '{"argument": "operation"}');
  end if;
  v_verb := p_operation ->> 'verb';
  v_options := heller._options_of(v_verb);
  if v_options is null then
    return heller._error('HL001', format('verb %s is not known', coalesce(v_verb, 'missing')), '{"argument": "verb"}');
  end if;
  if p_operation - v_options = '{}' then return null; end if;
  select o.key into v_name from jsonb_each(p_operation - v_options) o where o.value <> 'null' order by o.key limit 1;
  if v_name is null then return null; end if;
  return heller._error('HL001', format('%s takes no %s%s', v_verb, left(v_name, 100), case
      when v_name = 'effective_at' and v_verb = 'hold' then ': a hold lasts from now; say it when you capture'
      when v_name = 'effective_at' then ': it changes no balance'
      when v_name in ('allow_partial', 'min_available_after') and v_verb in ('clawback', 'adjust', 'reverse') then ': its policy says what happens when credits are missing'
      when v_name in ('allow_partial', 'min_available_after') and v_verb = 'capture' then ': its credits are reserved already'
      when v_name in ('allow_partial', 'min_available_after') and v_verb in ('refund', 'reinstate', 'void') then ': without an amount it moves what is left'
      when v_name in ('allow_partial', 'min_available_after') then ': it takes no credits'
      when v_name = 'key' then ': to do it again is the same'
      when v_name in ('reason', 'actor', 'metadata') then ': it writes no transaction that could keep it'
      when v_name = 'if_version' then ': an account has no version before it is open'
      else format('; it takes %s', array_to_string(v_options, ', ')) end), jsonb_build_object('argument', left(v_name, 100)));
end $$;
comment on function heller._refused_option(jsonb) is
  'The refusal of an operation that is none, whose verb is not known, or that has an option without a meaning for its verb; null when all is well. A misspelt dry_run must not spend.';
