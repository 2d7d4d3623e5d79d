"""``heller demo``."""


def demo() -> None:
    """Placeholder."""
