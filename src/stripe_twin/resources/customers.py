"""Customers: create, find by e-mail, change, delete; and the billing portal's sessions."""

import re
from typing import Annotated, Any

from pydantic import Field

from stripe_twin.api import Call, route, same
from stripe_twin.errors import invalid
from stripe_twin.params import CreatedPageParams, Metadata, PageParams, Params, merged_metadata
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World

CLAUSE = re.compile(
    r"""^(?P<field>[a-z_]+)(\[['"](?P<key>[^'"]+)['"]\])?\s*(?P<sign>[:~])\s*['"](?P<value>[^'"]*)['"]$"""
)


class InvoiceSettings(Params):
    """How a customer's invoices are paid."""

    default_payment_method: str | None = None


class CustomerValues(Params):
    """POST /v1/customers and /v1/customers/{id}."""

    email: Annotated[str, Field(max_length=512)] | None = None
    name: str | None = None
    phone: str | None = None
    description: str | None = None
    address: dict[str, Any] | None = None
    preferred_locales: list[str] = Field(default_factory=list)
    invoice_settings: InvoiceSettings | None = None
    metadata: Metadata | None = None
    tax_exempt: str | None = None


class CustomerList(CreatedPageParams):
    """GET /v1/customers."""

    email: str | None = None


class Search(Params):
    """GET /v1/.../search."""

    query: str
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    page: str | None = None


class PortalCreate(Params):
    """POST /v1/billing_portal/sessions."""

    customer: str
    return_url: str | None = None
    locale: str | None = None


def search_page(call: Call, kind: str) -> Json:
    """A page of a search: clauses ``field:"value"`` and ``metadata["key"]:"value"`` joined by AND."""
    params = call.read(Search)
    clauses = [CLAUSE.match(part.strip()) for part in re.split(r"\s+AND\s+", params.query)]
    if any(clause is None for clause in clauses):
        raise invalid(f"We were unable to parse your search query: {params.query}", param="query")

    def holds(item: Json, clause: re.Match[str]) -> bool:
        value = item.get(clause["field"])
        value = (value or {}).get(clause["key"]) if clause["key"] else value
        if clause["sign"] == "~":
            return clause["value"].lower() in str(value or "").lower()
        return str(value or "").lower() == clause["value"].lower()

    rows = [
        row
        for row in call.space.rows(kind)
        if not row.get("deleted") and all(holds(row, c) for c in clauses if c is not None)
    ]
    start = int(params.page or 0)
    end = start + params.limit
    has_more = len(rows) > end
    return {
        "object": "search_result",
        "url": call.url,
        "has_more": has_more,
        "next_page": str(end) if has_more else None,
        "data": rows[start:end],
    }


def make_customer(world: World, space: Space, values: Json) -> Json:
    """A new customer."""
    prefix = world.token(8).upper()
    customer = world.make(space, "customer", {"invoice_prefix": prefix} | values)
    world.emit(space, "customer.created", customer)
    return customer


def live_customer(space: Space, identifier: str | None, *, param: str = "customer") -> Json | None:
    """The customer a parameter names; refused when there is none or it was deleted."""
    if identifier is None:
        return None
    customer = space.get("customer", identifier, param=param)
    if customer.get("deleted"):
        raise invalid(f"No such customer: '{identifier}'", param=param, code="resource_missing")
    return customer


@route("POST", "/v1/customers")
def create_customer(call: Call) -> Json:
    """Make a customer."""
    params = call.read(CustomerValues)
    values = params.model_dump(exclude={"metadata", "invoice_settings"}, exclude_none=True)
    values["metadata"] = merged_metadata({}, params.metadata)
    if params.invoice_settings is not None:
        values["invoice_settings"] = params.invoice_settings.model_dump()
    return make_customer(call.world, call.space, values)


@route("GET", "/v1/customers")
def list_customers(call: Call) -> Json:
    """List customers that were not deleted."""
    params = call.read(CustomerList)
    return call.page("customer", params, lambda c: not c.get("deleted") and same(params.email, c["email"]))


@route("GET", "/v1/customers/search")
def search_customers(call: Call) -> Json:
    """Search customers; at once consistent, which Stripe's own search is not."""
    return search_page(call, "customer")


@route("GET", "/v1/customers/{id}")
def retrieve_customer(call: Call) -> Json:
    """One customer; a deleted one says so."""
    return call.item("customer")


@route("POST", "/v1/customers/{id}")
def update_customer(call: Call) -> Json:
    """Change a customer."""
    params = call.read(CustomerValues)
    customer = live_customer(call.space, call.item("customer")["id"], param="id") or {}
    changes = params.given(
        "email", "name", "phone", "description", "address", "preferred_locales", "tax_exempt"
    )
    changes["metadata"] = merged_metadata(customer["metadata"], params.metadata)
    if params.invoice_settings is not None:
        changes["invoice_settings"] = customer["invoice_settings"] | params.invoice_settings.model_dump()
    previous = {k: customer[k] for k, v in changes.items() if customer.get(k) != v}
    customer |= changes
    call.world.emit(call.space, "customer.updated", customer, previous=previous)
    return customer


@route("DELETE", "/v1/customers/{id}")
def delete_customer(call: Call) -> Json:
    """Delete a customer; the id stays known as deleted."""
    customer = call.item("customer")
    call.world.emit(call.space, "customer.deleted", customer)
    return call.space.put("customer", {"id": customer["id"], "object": "customer", "deleted": True})


@route("GET", "/v1/customers/{id}/payment_methods")
def list_customer_payment_methods(call: Call) -> Json:
    """The payment methods of a customer."""

    class Methods(PageParams):
        type: str | None = None

    params, customer = call.read(Methods), call.item("customer")
    return call.page(
        "payment_method", params, lambda m: m["customer"] == customer["id"] and same(params.type, m["type"])
    )


@route("POST", "/v1/billing_portal/sessions")
def create_portal_session(call: Call) -> Json:
    """A link to the twin's billing portal."""
    params = call.read(PortalCreate)
    customer = live_customer(call.space, params.customer) or {}
    session = call.world.make(
        call.space,
        "billing_portal.session",
        {"customer": customer["id"], "return_url": params.return_url, "locale": params.locale},
    )
    session["url"] = f"{call.world.base_url}/portal/{session['id']}"
    return session
