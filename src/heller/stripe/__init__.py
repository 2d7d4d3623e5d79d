"""Stripe: every paid credit arrives, exactly once. See the README beside this file."""

from heller.stripe.api import API_VERSION, StripeApi
from heller.stripe.asgi import WebhookApp
from heller.stripe.catalogue import Price, add_price, prices, retire_price
from heller.stripe.checkout import Item, Order, Purchase, buy, confirm
from heller.stripe.converge import Converged, converge
from heller.stripe.inbox import drain, run
from heller.stripe.ingest import Ingest, IngestResult
from heller.stripe.reconcile import Reconciled, reconcile
from heller.stripe.settings import StripeSettings, load
from heller.stripe.top_up import TopUp, TopUpRule, TopUpRules, top_up

__all__ = [
    "API_VERSION",
    "Converged",
    "Ingest",
    "IngestResult",
    "Item",
    "Order",
    "Price",
    "Purchase",
    "Reconciled",
    "StripeApi",
    "StripeSettings",
    "TopUp",
    "TopUpRule",
    "TopUpRules",
    "WebhookApp",
    "add_price",
    "buy",
    "confirm",
    "converge",
    "drain",
    "load",
    "prices",
    "reconcile",
    "retire_price",
    "run",
    "top_up",
]
