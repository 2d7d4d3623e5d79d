"""The customers' portal, ``/portal``: what an account has, what used it, and how to get more."""

from heller.web.portal import buying, grants, overview, receipts, team, top_up, transactions
from heller.web.portal.routing import router

__all__ = ["buying", "grants", "overview", "receipts", "router", "team", "top_up", "transactions"]
