-- A table without a key of its own may hold an id twice: the first row stays, the others are quarantined.
with numbered as (
  select ctid as place, row_number() over (partition by id order by ctid) as n
  from heller_staging.{table} where source = {source} and id is not null
), gone as (
  delete from heller_staging.{table} t using numbered where numbered.n > 1 and t.ctid = numbered.place returning t.*
)
insert into heller_staging.quarantine
select source, id, {user_ref}, {credits}, 'another row of the same table has the same id' from gone;
