"""The API by families of objects; importing this package registers every route."""

from stripe_twin.resources import (
    accounts,
    billing,
    catalogue,
    checkout,
    coupons,
    customers,
    disputes,
    endpoints,
    events,
    payment_intents,
    payment_methods,
    refunds,
)

__all__ = [
    "accounts",
    "billing",
    "catalogue",
    "checkout",
    "coupons",
    "customers",
    "disputes",
    "endpoints",
    "events",
    "payment_intents",
    "payment_methods",
    "refunds",
]
