create or replace function heller._has_expiring(a heller.accounts, p_before timestamptz) returns boolean
language sql stable set search_path = pg_catalog as $$
  select exists (select from heller._grants_at(a, heller._clock()) m join lateral heller._grants_known(a) h on h.grant_id = m.grant_id
                 where h.expires_at < p_before and m.remaining > 0)
$$;
comment on function heller._has_expiring(heller.accounts, timestamptz) is 'Whether a grant of the account expires before an instant, with something left of it now.';
