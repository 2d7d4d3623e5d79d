-- References that name several users.
select min(s.written) as key, null::text as account, sum(s.transactions + s.ledger)::bigint as credits,
       jsonb_build_object('candidates', to_jsonb(min(r.candidates)), 'transactions', sum(s.transaction_rows),
                          'ledger_rows', sum(s.ledger_rows)) as detail
from heller_staging.sums s join heller_staging.refs r on r.strict = s.strict and r.ref = s.ref
where s.verdict = 'many'
group by s.ref
