"""The account itself, connected accounts, and the balance with its lines."""

from stripe_twin.api import Call, route, same
from stripe_twin.params import CreatedPageParams, Metadata, Params
from stripe_twin.shapes import Json, shaped
from stripe_twin.world import PLATFORM, World


class AccountCreate(Params):
    """POST /v1/accounts."""

    type: str | None = None
    country: str | None = None
    email: str | None = None
    metadata: Metadata | None = None


class BalanceList(CreatedPageParams):
    """GET /v1/balance_transactions."""

    currency: str | None = None
    type: str | None = None
    source: str | None = None
    payout: str | None = None


def connect_account(world: World, identifier: str) -> Json:
    """Open an account that the platform may act for, in both modes."""
    account = world.account_shape(identifier)
    for livemode in (False, True):
        world.store.space(identifier, livemode).put("account", account)
    world.is_changed = True
    return account


@route("GET", "/v1/account")
def retrieve_own_account(call: Call) -> Json:
    """The account that the key, or the Stripe-Account header, stands for."""
    return call.space.get("account", call.space.account)


@route("POST", "/v1/accounts")
def create_account(call: Call) -> Json:
    """Connect a new account."""
    params = call.read(AccountCreate)
    account = connect_account(call.world, call.world.new_id("account", call.space.livemode))
    account |= {"email": params.email, "country": params.country or "DE", "type": params.type or "standard"}
    return account


@route("GET", "/v1/accounts")
def list_accounts(call: Call) -> Json:
    """List connected accounts."""
    params = call.read(CreatedPageParams)
    spaces = [
        s
        for s in call.world.store.spaces.values()
        if s.account != PLATFORM and s.livemode == call.space.livemode
    ]
    rows = [s.tables["account"][s.account] for s in spaces if s.account in s.tables.get("account", {})]
    return call.page_of(rows[::-1], params)


@route("GET", "/v1/accounts/{id}")
def retrieve_account(call: Call) -> Json:
    """One account, the platform's own or a connected one."""
    identifier = call.path["id"]
    return call.world.store.space(identifier, call.space.livemode).get("account", identifier)


@route("GET", "/v1/balance")
def retrieve_balance(call: Call) -> Json:
    """What the account holds, by currency."""
    sums: dict[str, int] = {}
    for line in call.space.rows("balance_transaction"):
        sums[line["currency"]] = sums.get(line["currency"], 0) + line["net"]
    amounts = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(sums.items())
    ]
    return shaped("balance", {"livemode": call.space.livemode, "available": amounts, "pending": []})


@route("GET", "/v1/balance_transactions")
def list_balance_transactions(call: Call) -> Json:
    """List the lines of the balance."""
    params = call.read(BalanceList)
    return call.page(
        "balance_transaction",
        params,
        lambda b: (
            same(params.currency, b["currency"])
            and same(params.type, b["type"])
            and same(params.source, b["source"])
            and params.payout is None
        ),
    )


@route("GET", "/v1/balance_transactions/{id}")
def retrieve_balance_transaction(call: Call) -> Json:
    """One line of the balance."""
    return call.item("balance_transaction")
