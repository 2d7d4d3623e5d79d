"""What a handler gets (a call), how it is found (a route), and lists by cursor."""

from collections.abc import Callable
from dataclasses import dataclass

from stripe_twin.errors import missing
from stripe_twin.params import CreatedPageParams, Model, PageParams, checked
from stripe_twin.shapes import Json
from stripe_twin.store import Space
from stripe_twin.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One API request, authenticated and decoded; handlers run under the world's lock."""

    world: World
    space: Space
    url: str
    path: dict[str, str]
    raw: Json

    def read(self, model: type[Model]) -> Model:
        """The parameters, checked."""
        return checked(model, self.raw)

    def item(self, kind: str) -> Json:
        """The object whose id is in the path."""
        return self.space.get(kind, self.path["id"])

    def page(self, kind: str, params: PageParams, keep: Callable[[Json], bool] = lambda _item: True) -> Json:
        """A page of objects of a kind, newest first, that ``keep`` keeps."""
        within = params.within if isinstance(params, CreatedPageParams) else lambda _item: True
        rows = [row for row in self.space.rows(kind) if keep(row) and within(row)]
        return self.page_of(rows, params)

    def page_of(self, rows: list[Json], params: PageParams) -> Json:
        """The page of these rows that the cursors ask for."""
        ids = [row["id"] for row in rows]
        has_more = False
        if params.starting_after is not None:
            start = self._position(ids, params.starting_after, "starting_after") + 1
            rows, has_more = rows[start : start + params.limit], len(rows) > start + params.limit
        elif params.ending_before is not None:
            end = self._position(ids, params.ending_before, "ending_before")
            start = max(0, end - params.limit)
            rows, has_more = rows[start:end], start > 0
        else:
            rows, has_more = rows[: params.limit], len(rows) > params.limit
        return {"object": "list", "url": self.url, "has_more": has_more, "data": rows}

    def _position(self, ids: list[str], cursor: str, param: str) -> int:
        if cursor in ids:
            return ids.index(cursor)
        raise missing("object", cursor, param=param, status=400)


Handler = Callable[[Call], Json]
ROUTES: list[tuple[str, str, Handler]] = []


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Register a handler; earlier ones win, so fixed paths come before ``{id}``."""

    def register(handler: Handler) -> Handler:
        ROUTES.append((method, path, handler))
        return handler

    return register


def same(wanted: str | None, value: object) -> bool:
    """Whether a filter that was not given, or given, lets a value pass."""
    return wanted is None or wanted == value
