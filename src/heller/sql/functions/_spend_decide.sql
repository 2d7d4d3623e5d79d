create or replace function heller._spend_decide(
  a heller.accounts, p_account_id text, p_unit text, p_amount bigint, p_key text, p_reason text, p_actor text, p_metadata jsonb, p_options jsonb,
  p_is_known boolean, out answer jsonb, out amount bigint, out request jsonb, out effective_at timestamptz, out is_dry_run boolean
)
language plpgsql set search_path = pg_catalog as $$
declare
  o record;
  v_available bigint := a.posted - a.held + a.overdraft_limit;
begin
  select * into o from jsonb_to_record(coalesce(p_options, '{}')) as
    (amount numeric, allow_partial boolean, min_available_after bigint, if_version bigint, dry_run boolean, effective_at timestamptz);
  o.amount := coalesce(p_amount, o.amount);
  answer := heller._spend_refusal(p_account_id, p_unit, o.amount, p_reason, p_actor, p_key, p_metadata);
  if answer is null and (o.min_available_after is not null or o.effective_at is not null) then
    answer := heller._spend_options_refusal(o.min_available_after, o.effective_at);
  end if;
  if answer is not null then return; end if;
  request := heller._spend_request(o.allow_partial, o.min_available_after, o.effective_at, o.amount::bigint);
  if p_is_known then
    answer := heller._replay_value(p_account_id, p_key, jsonb_build_object('verb', 'spend', 'unit', p_unit, 'amount', o.amount,
                                                                           'reason', p_reason, 'metadata', p_metadata) || coalesce(request, '{}'));
  elsif a.account_id is null then
    answer := heller._error('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  elsif a.frozen_at is not null then
    answer := heller._error('HL005', format('account %s is frozen: %s', p_account_id, a.frozen_reason),
                            jsonb_build_object('account', p_account_id, 'reason', a.frozen_reason));
  elsif a.epoch % 2 = 0 then
    answer := heller._away(a);
  elsif o.if_version <> a.version then
    answer := heller._error('HL014', format('account %s is at version %s, not %s', p_account_id, a.version, o.if_version),
                            jsonb_build_object('account', p_account_id, 'expected', o.if_version, 'actual', a.version));
  else
    v_available := v_available - coalesce(o.min_available_after, 0);
    amount := case when o.amount <= v_available then o.amount when o.allow_partial and v_available > 0 then v_available end;
    effective_at := o.effective_at;
    is_dry_run := coalesce(o.dry_run, false);
    if amount is null then
      answer := heller._error('HL002', format('%s credits are needed and %s are available', o.amount, v_available),
        jsonb_build_object('account', p_account_id, 'required', o.amount, 'available', v_available + coalesce(o.min_available_after, 0), 'held', a.held));
    end if;
  end if;
end $$;
comment on function heller._spend_decide(heller.accounts, text, text, bigint, text, text, text, jsonb, jsonb, boolean) is
  'What becomes of a spend that is not plain: the answer (refusal, replay), or how much is taken.';
