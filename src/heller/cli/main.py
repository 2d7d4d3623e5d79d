"""The entry of the ``heller`` program: whatever happens, it ends with an exit code and a sentence.

Nothing but the standard library's smallest is imported here, so that an interruption finds somebody who answers it.
"""

import io
import os
import sys

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def run() -> None:
    """Run one command."""
    arguments = sys.argv[1:]
    _open_streams()
    try:
        from heller.cli.root import call  # noqa: PLC0415  # Ctrl-C may come while this is loaded

        code = call(arguments)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except OSError as error:
        code = _unwritten(error)
    if code == EXIT_INTERRUPTED:
        _say_how_to_go_on(arguments)
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        code = max(code, _unwritten(error))
    raise SystemExit(code)


def _open_streams() -> None:
    """A stream that was closed leads nowhere (its number would else be a socket's); what cannot be shown is written out."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  # open until the end
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say_how_to_go_on(arguments: list[str]) -> None:
    import shlex  # noqa: PLC0415  # only here
    import signal  # noqa: PLC0415  # as above

    from heller.logs import without_secrets  # noqa: PLC0415  # as above

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # once is enough: this is the end
    again = without_secrets(shlex.join(["heller", *arguments]))
    sys.stderr.write(f"\nInterrupted. What was committed stays. To go on: {again}\n")


def _unwritten(error: Exception) -> int:
    """The end of a command whose output cannot be written: who reads has gone, or the disk is full."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # for the interpreter's own last flush
    if not isinstance(error, BrokenPipeError):
        sys.stderr.write(f"Error: The output could not be written: {error}\n")
    return EXIT_FAILED


if __name__ == "__main__":
    run()
