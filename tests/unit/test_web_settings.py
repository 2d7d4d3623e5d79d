import pytest

from heller.errors import SettingsError
from heller.web.settings import AUTH0, load

LONG_ENOUGH = "a key of tests, of 32 characters or more"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in AUTH0.items():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"HELLER_{field.upper()}", raising=False)
    monkeypatch.setenv("HELLER_SECRET_KEY", LONG_ENOUGH)


def test_variables_of_auth0_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH0_DOMAIN", "tenant.eu.auth0.com")
    monkeypatch.setenv("AUTH0_CLIENT_ID", "heller")
    monkeypatch.setenv("AUTH0_AUDIENCE", "theirs")
    monkeypatch.setenv("HELLER_OIDC_AUDIENCE", "ours")
    settings = load()
    assert settings.oidc_issuer == "https://tenant.eu.auth0.com/"
    assert settings.oidc_client_id == "heller"
    assert settings.oidc_audience == "ours"
    assert load(oidc_client_id="given").oidc_client_id == "given"


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("HELLER_SECRET_KEY", "short", "HELLER_SECRET_KEY is shorter"),
        ("AUTH0_CLIENT_ID", "heller", "without HELLER_OIDC_ISSUER"),
        ("HELLER_PORT", "70000", "HELLER_PORT"),
        ("HELLER_LEGACY_WEBHOOK_URL", "https://example.org", "HELLER_LEGACY_WEBHOOK_SECRET"),
    ],
)
def test_bad_setting_refuses_to_start_and_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=named):
        load()


def test_development_sign_in_needs_loopback() -> None:
    with pytest.raises(SettingsError, match="only bound to"):
        load(development_sign_in=True, host="0.0.0.0")  # noqa: S104  # what is refused
    assert load(development_sign_in=True, host="::1").development_sign_in
