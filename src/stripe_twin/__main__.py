"""``python -m stripe_twin --port N``: the twin as a process, for a demo."""

import argparse
import contextlib
from functools import partial
from pathlib import Path

from stripe_twin.server import LOOPBACK, build

DEMO_RETRY_SCALE = 1 / 300


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m stripe_twin", description="A local stand-in of Stripe.")
    parser.add_argument("--port", type=int, default=12111, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on")
    parser.add_argument("--state", type=Path, help="file to keep the state in, so that it survives a restart")
    parser.add_argument("--public-url", help="the URL buyers see, when it is not the address listened on")
    parser.add_argument("--sepa-seconds", type=float, help="debits settle by themselves after so long")
    parser.add_argument(
        "--retry-scale",
        type=float,
        default=DEMO_RETRY_SCALE,
        help="factor on the delays between delivery attempts (default: five minutes become one second)",
    )
    return parser.parse_args()


def main() -> None:
    """Serve until interrupted."""
    options = arguments()
    twin, server, listener = build(
        options.port,
        host=options.host,
        retry_scale=options.retry_scale,
        state_path=options.state,
        sepa_settles_after_seconds=options.sepa_seconds,
        public_url=options.public_url,
    )
    server.on_listening = partial(print, twin.url, flush=True)
    with contextlib.closing(listener), contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
