"""The customers' portal, ``/portal``: what an account has, what used it, and how to get more."""

from heller.web.portal import grants, overview, transactions
from heller.web.portal.routing import router

__all__ = ["grants", "overview", "router", "transactions"]
