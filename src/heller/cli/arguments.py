"""How the words of a command line are read: a number may be negative, and what cannot be read is said in our words."""

import re
from typing import Any

from typer._click.exceptions import ClickException
from typer._click.parser import _OptionParser

_NEGATIVE = re.compile(r"-\d+")
_WORDS = {
    "int_parsing": "{input!r} is no whole number",
    "int_from_float": "{input!r} is no whole number",
    "float_parsing": "{input!r} is no number",
    "greater_than_equal": "{input} is too small; the least is {ge}",
    "less_than_equal": "{input} is too large; the most is {le}",
    "literal_error": "{input!r} is none of {expected}",
    "value_error": "{error}",
    "datetime_from_date_parsing": "{input!r} is no instant; write it like 2026-01-31T12:00",
    "datetime_parsing": "{input!r} is no instant; write it like 2026-01-31T12:00",
}


class _Parser(_OptionParser):
    """Takes -5 for a number, not for an option: the command says whether it may be negative."""

    def _match_short_opt(self, arg: str, state: Any) -> None:
        if _NEGATIVE.fullmatch(arg):
            state.largs.append(arg)
        else:
            super()._match_short_opt(arg, state)


def with_negative_numbers(command: Any) -> None:
    """Let a command read negative numbers as arguments."""

    def make_parser(context: Any) -> _Parser:
        parser = _Parser(context)
        for parameter in command.get_params(context):
            parameter.add_to_parser(parser, context)
        return parser

    command.make_parser = make_parser


def reworded(error: ClickException) -> ClickException:
    """The error with a message that shows the value and what was expected instead of it."""
    errors = getattr(error.__cause__, "errors", None)
    if callable(errors):
        first = errors()[0]
        said = _WORDS.get(first["type"])
        if said is not None:
            error.message = said.format(input=first["input"], **first.get("ctx", {})).rstrip(".") + "."
    return error
