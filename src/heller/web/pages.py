"""Pages: templates in the reader's language, with what every page needs. ``render`` is the only way to make one.

The language is ``?lang=``, else the cookie ``lang``, else what the browser prefers; the theme likewise by ``?theme=``
and its cookie, ``system`` when nobody chose. English is the source in the templates; catalogues are compiled at start.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from fastapi import Request
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from heller.web import csrf
from heller.web.assets import static
from heller.web.formats import Formats, copyable, exact
from heller.web.principal import Principal
from heller.web.sentences import said, translated
from heller.web.wiring import wiring_of

HERE = Path(__file__).parent
LOCALE = HERE / "locale"
PACKAGE = "heller.web"
LANGUAGES = {"en": "English", "de": "Deutsch"}
THEMES = ("system", "light", "dark")
CHOICE_SECONDS = 365 * 24 * 3600
ACCEPT_LANGUAGE_MAX = 200


@dataclass(frozen=True, slots=True)
class Navigation:
    """One entry of a navigation; ``badge`` is a number that wants attention."""

    href: str
    icon: str
    label: str
    is_current: bool = False
    badge: int = 0


def render(
    request: Request,
    template: str,
    *,
    principal: Principal | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    package: str = PACKAGE,
    **context: Any,
) -> HTMLResponse:
    """A page. Templates extend ``base.html`` (or their area's layout) and get ``context`` and what is named below.

    ``package`` is an application's own, whose templates and texts come before heller's.
    """
    lang = language(request)
    theme = _choice(request, "theme", THEMES) or "system"
    settings = wiring_of(request).settings
    given = {
        "request": request,
        "principal": principal,
        "lang": lang,
        "languages": LANGUAGES,
        "theme": theme,
        "themes": THEMES,
        "csrf_token": csrf.token(request),
        "development": settings.development_sign_in,
        "here": request.url.path,
        "with_query": lambda **changes: with_query(request, **changes),
    }
    html = environment(lang, package).get_template(template).render(given | context)
    response = HTMLResponse(html, status, headers={"Vary": "Cookie, Accept-Language", **(headers or {})})
    for name, known in (("lang", tuple(LANGUAGES)), ("theme", THEMES)):
        if request.query_params.get(name) in known:
            response.set_cookie(
                name,
                request.query_params[name],
                max_age=CHOICE_SECONDS,
                samesite="lax",
                secure=settings.is_secure,
            )
    return response


def language(request: Request) -> str:
    """The language to answer in."""
    chosen = _choice(request, "lang", tuple(LANGUAGES))
    if chosen is not None:
        return chosen
    header = request.headers.get("accept-language", "")[:ACCEPT_LANGUAGE_MAX]
    wanted = [part.partition(";")[0].strip().replace("-", "_") for part in header.split(",")]
    return negotiate_locale([w for w in wanted if w], list(LANGUAGES), sep="_") or "en"


def translator(request: Request, package: str = PACKAGE) -> Callable[..., str]:
    """``_`` for messages made in Python: ``_("Sent to %(name)s.", name=...)``."""
    translations = _translations(language(request), package)

    def translate(message: str, **values: Any) -> str:
        text = translations.gettext(message)
        return text % values if values else text

    return translate


def in_words(request: Request, sentence: str) -> str:
    """A sentence of a domain (a refusal, a hint) in the language to answer in; as it is where that has no word for it."""
    lang = language(request)
    return translated(sentence, _translations(lang, PACKAGE).gettext, lang) or sentence


def formats(request: Request) -> Formats:
    """The formats of the language to answer in."""
    return _formats(language(request))


def with_query(request: Request, **changes: Any) -> str:
    """This page's URL with some of its query changed; None removes."""
    query = {name: value for name, value in request.query_params.items() if name not in changes}
    query |= {name: str(value) for name, value in changes.items() if value is not None}
    return f"{request.url.path}?{urlencode(query)}" if query else request.url.path


def _choice(request: Request, name: str, known: tuple[str, ...]) -> str | None:
    for value in (request.query_params.get(name), request.cookies.get(name)):
        if value in known:
            return value
    return None


@lru_cache
def _formats(lang: str) -> Formats:
    return Formats(lang)


@lru_cache
def _translations(lang: str, package: str) -> NullTranslations:
    """The catalogues of a language, compiled now: no build step. What a package does not say, heller's say."""
    if lang == "en":
        return NullTranslations()
    merged = Translations()
    folders = [LOCALE, *([Path(str(resources.files(package))) / "locale"] if package != PACKAGE else [])]
    for path in [path for folder in folders for path in sorted((folder / lang / "LC_MESSAGES").glob("*.po"))]:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=lang)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        merged.merge(Translations(compiled))
    return merged


@lru_cache
def environment(lang: str, package: str = PACKAGE) -> Environment:
    """Templates that speak one language; a package's own come before heller's of the same name."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, PACKAGE))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations = _translations(lang, package)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        translations.gettext, translations.ngettext, newstyle=True
    )
    formats_of = _formats(lang)
    label = translations.gettext("Copy")
    made.globals.update(
        n=formats_of.number,
        signed=formats_of.signed,
        money=formats_of.money,
        day=formats_of.day,
        when=formats_of.when,
        local_day=formats_of.local_day,
        ago=formats_of.ago,
        exact=exact,
        copyable=lambda text: copyable(text, label),
        icon=icon,
        said=lambda sentence: said(str(sentence), translations.gettext, lang),
        static=static,
        Navigation=Navigation,
        site_name="heller",
    )
    return made


def icon(name: str) -> Markup:
    """A picture that says nothing words beside it do not say; the names are those of ``static/vendor/icons.svg``."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
        static("vendor/icons.svg"), name
    )
