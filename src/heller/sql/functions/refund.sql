create or replace function heller.refund(
  p_account_id text, p_seq bigint, p_amount bigint default null, p_reason text default null, p_key text default null,
  p_unit text default 'credit', p_actor text default null, p_metadata jsonb default null, p_if_version bigint default null,
  p_dry_run boolean default false, p_revive boolean default true,
  p_effective_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_result jsonb;
begin
  if not p_dry_run then
    return heller._undo(p_account_id, p_seq, p_amount, 'refund', array['spend', 'adjust'], p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version,
                        p_revive, p_effective_at);
  end if;
  v_result := heller._undo(p_account_id, p_seq, p_amount, 'refund', array['spend', 'adjust'], p_reason, p_key, p_unit, p_actor, p_metadata, p_if_version,
                           p_revive, p_effective_at);
  raise exception using errcode = 'HL900';
exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
end $$;
comment on function heller.refund(text, bigint, bigint, text, text, text, text, jsonb, bigint, boolean, boolean, timestamptz) is
  'Undoes a spend, wholly (no amount) or in part, into the grants that paid it. What came from a grant that has ended returns without expiry, unless p_revive is false.';
