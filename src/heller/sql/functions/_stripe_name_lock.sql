create or replace function heller._stripe_name_lock(p_intent text, p_session text) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('heller payment ' || n.name, 0))
  from unnest(array[p_intent, p_session]) n (name) where n.name is not null order by n.name;
end $$;
comment on function heller._stripe_name_lock(text, text) is
  'Held by who finds that no payment has these names, and by who brings one from the legacy system: the one after the other sees what the first did.';
