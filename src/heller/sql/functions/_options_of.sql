create or replace function heller._options_of(p_verb text) returns text[]
language sql immutable parallel safe set search_path = pg_catalog as $$
  select array['verb', 'account', 'unit', 'dry_run']
    || case when p_verb <> 'open_account' then '{if_version}'::text[] end
    || case when p_verb not in ('open_account', 'release', 'renew') then '{key,reason,actor,metadata}'::text[] end
    || case when p_verb not in ('open_account', 'hold', 'release', 'renew') then '{effective_at}'::text[] end
    || case when p_verb in ('spend', 'hold', 'transfer') then '{allow_partial,min_available_after}'::text[] end
    || case p_verb
         when 'open_account' then '{user,overdraft_limit,metadata}'::text[]
         when 'spend' then '{amount}'
         when 'grant' then '{amount,source,priority,available_at,expires_at,cost,currency,payment}'
         when 'void' then '{grant}'
         when 'adjust' then '{amount,policy}'
         when 'refund' then '{seq,amount}'
         when 'reverse' then '{seq,policy}'
         when 'clawback' then '{amount,payment,policy}'
         when 'reinstate' then '{seq,amount}'
         when 'transfer' then '{amount,to}'
         when 'hold' then '{amount,seconds,overrun_limit}'
         when 'capture' then '{hold,amount,final}'
         when 'release' then '{hold}'
         when 'renew' then '{hold,seconds}'
       end
  where p_verb in ('open_account', 'spend', 'grant', 'void', 'adjust', 'refund', 'reverse', 'clawback', 'reinstate', 'transfer', 'hold', 'capture',
                   'release', 'renew')
$$;
comment on function heller._options_of(text) is
  'The options that have a meaning for a verb (the table is in the README of the ledger); null for a verb that is not known.';
