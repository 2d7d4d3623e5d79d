"""A local stand-in of Stripe, for tests and for the demo; driven by the official SDK, never by the network.

::

    with stripe_twin.running() as twin:
        client = stripe.StripeClient("sk_test_1", base_addresses=twin.base_addresses)
        endpoint = twin.add_endpoint("http://127.0.0.1:8000/webhooks/stripe")
        session = client.v1.checkout.sessions.create(params={...})
        twin.pay(session.id)
        twin.drain()
"""

from stripe_twin.delivery import Sent, SignedDelivery
from stripe_twin.errors import ApiError
from stripe_twin.faults import Faults
from stripe_twin.server import running
from stripe_twin.twin import Twin
from stripe_twin.versions import CURRENT_VERSION
from stripe_twin.world import PLATFORM

__all__ = [
    "CURRENT_VERSION",
    "PLATFORM",
    "ApiError",
    "Faults",
    "Sent",
    "SignedDelivery",
    "Twin",
    "running",
]
