create or replace function heller.reinstate(
  p_account_id text, p_seq bigint, p_amount bigint default null, p_reason text default null, p_key text default null,
  p_unit text default 'credit', p_actor text default null, p_metadata jsonb default null, p_dry_run boolean default false,
  p_if_version bigint default null, p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_result jsonb;
begin
  v_result := heller._undo(p_account_id, p_seq, p_amount, 'reinstate', array['clawback'], p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version, true,
                           p_effective_at);
  if p_dry_run then raise exception using errcode = 'HL900'; end if;
  return v_result;
exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
end $$;
comment on function heller.reinstate(text, bigint, bigint, text, text, text, text, jsonb, boolean, bigint, timestamptz) is
  'Undoes a clawback: the dispute was won.';
