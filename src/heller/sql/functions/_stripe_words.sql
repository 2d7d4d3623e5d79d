create or replace function heller._stripe_words(p_reason text, p heller.payments, p_snapshot jsonb) returns text
language sql immutable set search_path = pg_catalog as $$
  select case p_reason
    when 'order_already_paid' then format('Order %s was paid by another payment; refund this one at Stripe, or assign it.', p.order_id)
    when 'amount_too_low' then format('%s %s were received, %s %s were ordered; assign it or refund it.', p_snapshot ->> 'received',
                                      p_snapshot ->> 'currency', p.amount, p.currency)
    when 'currency_mismatch' then format('It was paid in %s, the order is in %s.', p_snapshot ->> 'currency', p.currency)
    when 'zero_amount_not_allowed' then 'Nothing was paid, and the order does not allow that.'
    when 'subscription_changed' then 'The invoice is for a change of the subscription, not for a period; assign what it is worth.'
    when 'paid_no_more' then format('%s credits stand, but Stripe says %s.', p.net_credits, p_snapshot ->> 'status')
    else p_reason end
$$;
comment on function heller._stripe_words(text, heller.payments, jsonb) is 'The reason a payment is parked, as a sentence for the person who looks.';
