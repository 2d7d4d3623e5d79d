"""The customers' portal, ``/portal``."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
