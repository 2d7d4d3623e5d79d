"""What Stripe said, or what was in the way, in a sentence for our users."""

import re

import stripe


def said(error: Exception) -> str:
    """One line, without the SDK's advice to write to Stripe's support, who cannot mend our network."""
    text = " ".join(str(getattr(error, "user_message", None) or error).split())
    if isinstance(error, stripe.APIConnectionError):
        why = re.search(r"\(Network error: (?:An? )?(.*?)(?: was raised)?\)$", text)
        return f"Stripe cannot be reached ({why[1]})." if why else "Stripe cannot be reached."
    kept = [part for part in re.split(r"(?<=[.>])\s+", text) if "support@stripe.com" not in part]
    return " ".join(kept) or type(error).__name__
