create temporary table crowd_people (
    n bigint, uid text, email text, name text, customer text, joined_us bigint, episodes integer
) on commit drop;
create temporary table crowd_episodes (
    n bigint, j integer, uid text, email text, customer text, kind text, status text, at_us bigint, gap_us bigint,
    credits integer, cents integer, pack text, spends integer, steps integer, turn integer, spent integer, net integer,
    before integer, digits text, payment_id bigint, admin_id bigint, event_no bigint
) on commit drop;
