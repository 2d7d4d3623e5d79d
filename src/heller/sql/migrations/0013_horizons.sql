-- The servers of a cluster give out transaction ids each for itself, so what has ended is known of each.

alter table heller.event_horizons add column server integer not null default 0;
comment on column heller.event_horizons.server is 'The server that gives out the xid: its group on a Citus cluster, 0 where there is one.';
alter table heller.event_horizons drop constraint event_horizons_pkey;
alter table heller.event_horizons add constraint event_horizons_pkey primary key (server, xid);
