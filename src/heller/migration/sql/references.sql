-- Every reference that money uses, resolved among the names. A reference by foreign key (strict) is the id itself and nothing else.
create unlogged table heller_staging.used as
select strict, ref, min(written) as written from heller_staging.tallies group by 1, 2
union all
select s.strict, case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end, min(t.user_ref)
from heller_staging.payments t join heller_staging.sources s using (source) group by 1, 2;

-- The verdict on each reference: the one user it names, or none, or several.
create unlogged table heller_staging.refs as
select u.strict, u.ref, coalesce(min(u.written), '(none)') as written,
       case when count(distinct n.user_id) = 1 then min(n.user_id) end as user_id,
       case count(distinct n.user_id) when 0 then 'none' when 1 then 'one' else 'many' end as verdict,
       case when count(distinct n.user_id) > 1 then (array_agg(distinct n.user_id))[1:20] end as candidates,
       max(n.level) as level
from heller_staging.used u
left join heller_staging.names n on n.name = u.ref and not u.strict
where not u.strict
group by u.strict, u.ref;

insert into heller_staging.refs
select distinct u.strict, u.ref, coalesce(u.written, '(none)'), p.id, case when p.id is null then 'none' else 'one' end, null::text[], 1
from heller_staging.used u left join heller_staging.people p on p.id = u.ref
where u.strict;
create unique index on heller_staging.refs (strict, ref);
analyze heller_staging.refs;
