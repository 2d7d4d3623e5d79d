"""Alerts through Apprise: mail, Slack, Teams, a webhook, whatever has an Apprise URL."""

from dataclasses import dataclass

import apprise

from heller.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where alerts go. Without URLs they go nowhere, and ``send`` says so by False."""

    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str | None) -> "Alerts":
        """URLs separated by blanks or commas (HELLER_ALERT_URLS).

        Raises:
            SettingsError: one of them is no Apprise URL; it is named by its scheme only, since URLs hold secrets.
        """
        urls = tuple((text or "").replace(",", " ").split())
        for url in urls:
            if not apprise.Apprise().add(url):
                raise SettingsError(
                    f"The alert URL that starts with {url.split(':', 1)[0]}: is not one Apprise knows.",
                    hint="See https://github.com/caronc/apprise/wiki for the form of each service.",
                )
        return cls(urls)

    async def send(self, title: str, body: str) -> bool:
        """Send to all; True when every receiver took it. Never raises: an alert must not stop what it reports."""
        if not self.urls:
            return False
        sender = apprise.Apprise()
        for url in self.urls:
            sender.add(url)
        try:
            return bool(
                await sender.async_notify(body=body, title=title, notify_type=apprise.NotifyType.FAILURE)
            )
        except Exception:  # noqa: BLE001  # a receiver's bug is no reason to stop a rollback
            return False
