"""A language model over HTTP: the streamed chat completions that an OpenAI-compatible server gives, and what may go wrong.

``scenario`` decides each answer: it is given the request and returns the text, a status, or None to stay silent.
"""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 40


class Model:
    """The running server; ``requests`` is what it was sent."""

    def __init__(self):
        self.requests, self.scenario, self.over = [], lambda _request: "", threading.Event()
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model.requests.append({"path": self.path, "key": self.headers["authorization"], **request})
                answer = model.scenario(request)
                if answer is None:
                    model.over.wait()
                elif isinstance(answer, int):
                    self._send(answer, "application/json", [b'{"error": {"message": "no"}}'])
                else:
                    self._send(200, "text/event-stream", _events(answer))

            def _send(self, status, media_type, pieces):
                self.send_response(status)
                self.send_header("content-type", media_type)
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for piece in pieces:
                        self.wfile.write(piece)

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    @classmethod
    @contextlib.contextmanager
    def running(cls):
        model = cls()
        thread = threading.Thread(target=model.server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield model
        finally:
            model.over.set()
            model.server.shutdown()
            model.server.server_close()
            thread.join()


def _events(text):
    about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for start in range(0, len(text), PIECE):
        delta = {"role": "assistant", "content": text[start : start + PIECE]}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield b"data: " + json.dumps(about | {"choices": [choice]}).encode() + b"\n\n"
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield b"data: " + json.dumps(about | {"choices": [last]}).encode() + b"\n\ndata: [DONE]\n\n"
