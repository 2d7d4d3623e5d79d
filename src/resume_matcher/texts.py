"""Texts of people as they can be kept: PostgreSQL and UTF-8 cannot hold everything that JSON can."""


def kept(text: str, characters_max: int) -> str:
    """Without NUL and halves of characters, without blanks around it, and no longer than it may be."""
    whole = text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")
    return whole.strip()[:characters_max]
