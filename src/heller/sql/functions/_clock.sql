create or replace function heller._clock() returns timestamptz
language sql volatile parallel safe as $$ select pg_catalog.clock_timestamp() $$;
comment on function heller._clock() is 'The instant at which a verb acts. One place, so that tests can move time.';
