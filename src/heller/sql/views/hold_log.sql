create or replace view heller.hold_log as
  select account_id, unit, hold_id, amount, captured, overrun_limit, state, reason, actor, metadata, expires_at, placed_at, closed_at
  from heller.holds;
comment on view heller.hold_log is 'Holds as stored; one past its expires_at is expired, whatever state says.';
