"""What a buyer sees: the checkout, the bank's challenge, receipts, invoices, the portal. TEST on every page."""

from collections.abc import Awaitable, Callable
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_twin import buyer
from stripe_twin.errors import ApiError
from stripe_twin.params import decoded
from stripe_twin.resources.payment_methods import OUTCOMES
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.twin import Twin

# Currencies whose smallest unit is not a hundredth.
EXPONENTS = {
    **dict.fromkeys(
        [
            "bif",
            "clp",
            "djf",
            "gnf",
            "jpy",
            "kmf",
            "krw",
            "mga",
            "pyg",
            "rwf",
            "ugx",
            "vnd",
            "vuv",
            "xaf",
            "xof",
            "xpf",
        ],
        0,
    ),
    **dict.fromkeys(["bhd", "jod", "kwd", "omr", "tnd"], 3),
}
OUTCOME_WORDS = {
    "card": ("Card 4242", "paid at once"),
    "card_3ds": ("Card 3184", "the bank asks for approval (3-D Secure)"),
    "card_declined": ("Card 0002", "declined"),
    "card_insufficient_funds": ("Card 9995", "declined: insufficient funds"),
    "sepa": ("SEPA debit DE…3000", "takes time, then succeeds"),
    "sepa_fail": ("SEPA debit DE…3001", "takes time, then comes back unpaid"),
}
SEE_OTHER = 303


def money(amount: int, currency: str) -> str:
    """An amount in words: ``12.50 EUR``; whole minor units in, no float."""
    places = EXPONENTS.get(currency, 2)
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).rjust(places + 1, "0")
    whole, part = (digits[:-places], "." + digits[-places:]) if places else (digits, "")
    return f"{sign}{int(whole):,}{part} {currency.upper()}"


def _success_url(session: Json) -> str | None:
    url = session["success_url"]
    return None if url is None else str(url).replace("{CHECKOUT_SESSION_ID}", session["id"])


class Pages:
    """The pages of one twin."""

    def __init__(self, twin: Twin) -> None:
        """Load the templates."""
        self.twin = twin
        self.templates = Environment(loader=PackageLoader("stripe_twin"), autoescape=select_autoescape())
        self.templates.filters["money"] = money

    def _page(self, name: str, values: dict[str, Any], status: int = 200) -> Response:
        return HTMLResponse(self.templates.get_template(name).render(values), status)

    def _found(self, identifier: str, kind: str) -> tuple[Space, Json]:
        space = self.twin.world.store.holding(identifier)
        return space, space.get(kind, identifier)

    def _checkout_page(self, session: Json, *, error: str | None = None, code: int = 200) -> Response:
        kinds = session["payment_method_types"]
        choices = [
            (name, *words)
            for name, words in OUTCOME_WORDS.items()
            if ("sepa_debit" if name.startswith("sepa") else "card") in kinds
        ]
        values = {"session": session, "lines": session["_line_items"], "choices": choices, "error": error}
        return self._page("checkout.html", values, code)

    def _finished_page(self, session: Json) -> Response:
        target = _success_url(session)
        if session["status"] == "complete" and target is not None:
            return RedirectResponse(target, SEE_OTHER)
        words = {"complete": "Paid. Nothing more to do.", "expired": "This checkout has expired."}
        return self._page("message.html", {"title": "Checkout", "message": words[session["status"]]})

    async def checkout(self, request: Request) -> Response:
        """Show a checkout (GET), or submit it (POST)."""
        fields = decoded((await request.body()).decode()) if request.method == "POST" else None
        with self.twin.world.lock:
            space, session = self._found(request.path_params["id"], "checkout.session")
            buyer.tick(self.twin.world)
            if session["status"] != "open":
                return self._finished_page(session)
            if fields is None:
                return self._checkout_page(session)
            if fields.get("outcome") == "cancel":
                return RedirectResponse(session["cancel_url"] or str(request.url), SEE_OTHER)
            return self._submit(space, session, fields)

    def _submit(self, space: Space, session: Json, fields: Json) -> Response:
        outcome = fields.get("outcome", "card")
        if outcome not in OUTCOMES:
            return self._checkout_page(session, error="Choose a way to pay.", code=400)
        try:
            quantities = {line: int(number) for line, number in fields.get("quantity", {}).items()}
        except ValueError:
            return self._checkout_page(session, error="A quantity is a whole number.", code=400)
        choices = buyer.Choices(
            outcome, fields.get("email"), fields.get("name"), fields.get("promotion_code"), quantities
        )
        try:
            intent = buyer.submit(self.twin.world, space, session, choices)
        except ApiError as error:
            return self._checkout_page(session, error=error.message, code=error.status)
        if intent is not None and intent["status"] == "requires_action":
            return RedirectResponse(f"/authenticate/{intent['id']}", SEE_OTHER)
        return self._finished_page(session)

    async def authenticate(self, request: Request) -> Response:
        """The bank's challenge: show it (GET), answer it (POST)."""
        fields = decoded((await request.body()).decode()) if request.method == "POST" else None
        with self.twin.world.lock:
            space, intent = self._found(request.path_params["id"], "payment_intent")
            session = space.find(intent.get("_session") or "")
            if intent["status"] != "requires_action":
                words = "There is nothing to approve here any more."
                return self._page("message.html", {"title": "Your bank", "message": words})
            if fields is None:
                return self._page("authenticate.html", {"intent": intent})
            if fields.get("answer") == "abandon":
                target = None if session is None else session["cancel_url"]
                return self._leave(target or intent.get("_return_url"), "You walked away; nothing was paid.")
            buyer.authenticate(self.twin.world, space, intent, is_approved=fields.get("answer") == "approve")
            if session is None:
                return self._leave(intent.get("_return_url"), f"The payment is now {intent['status']}.")
            if session["status"] == "open":
                return self._checkout_page(session, error="The bank did not approve the payment.", code=402)
            return self._finished_page(session)

    def _leave(self, target: str | None, words: str) -> Response:
        if target is None:
            return self._page("message.html", {"title": "Your bank", "message": words})
        return RedirectResponse(target, SEE_OTHER)

    async def receipt(self, request: Request) -> Response:
        """The receipt of a charge."""
        with self.twin.world.lock:
            space, charge = self._found(request.path_params["id"], "charge")
            rows = [refund for refund in space.rows("refund") if refund["charge"] == charge["id"]]
            return self._page("receipt.html", {"charge": charge, "refunds": rows})

    async def invoice(self, request: Request) -> Response:
        """An invoice."""
        with self.twin.world.lock:
            _, invoice = self._found(request.path_params["id"], "invoice")
            return self._page("invoice.html", {"invoice": invoice})

    async def portal(self, request: Request) -> Response:
        """A customer's payments, invoices, cards and subscriptions."""
        with self.twin.world.lock:
            space, session = self._found(request.path_params["id"], "billing_portal.session")
            customer = space.get("customer", session["customer"])
            lists = {
                name: [row for row in space.rows(kind) if row.get("customer") == customer["id"]]
                for name, kind in (
                    ("charges", "charge"),
                    ("invoices", "invoice"),
                    ("methods", "payment_method"),
                    ("subscriptions", "subscription"),
                )
            }
            return self._page("portal.html", {"customer": customer, "session": session, **lists})

    def guarded(
        self, page: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """A page that answers an API error with a page of its own."""

        async def answer(request: Request) -> Response:
            try:
                return await page(request)
            except ApiError as error:
                return self._page(
                    "message.html", {"title": "Not found", "message": error.message}, error.status
                )

        return answer


def page_routes(twin: Twin) -> list[Route]:
    """The routes of all pages."""
    pages = Pages(twin)
    return [
        Route("/pay/c/{id}", pages.guarded(pages.checkout), methods=["GET", "POST"]),
        Route("/authenticate/{id}", pages.guarded(pages.authenticate), methods=["GET", "POST"]),
        Route("/receipts/{id}", pages.guarded(pages.receipt), methods=["GET"]),
        Route("/invoices/{id}", pages.guarded(pages.invoice), methods=["GET"]),
        Route("/portal/{id}", pages.guarded(pages.portal), methods=["GET"]),
    ]
