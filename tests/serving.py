"""Streams over HTTP and RTSP on this machine, and a file that grows: a file's bytes bit by bit."""

import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_STEP_S = 0.05


def _pieces(data: bytes, length_s: float) -> Iterator[bytes]:
    """The bytes, evenly over that many seconds on the clock."""
    began, given = time.monotonic(), 0
    while given < len(data):
        share = min(1.0, (time.monotonic() - began + _STEP_S) / length_s) if length_s else 1.0
        upto = max(given + 1, round(len(data) * share))
        yield data[given:upto]
        given = upto
        if length_s:
            time.sleep(_STEP_S)


@contextmanager
def streamed(data: bytes, *, length_s: float, breaks_after: int | None = None):
    """Serve bytes over HTTP; gives the port and the headers of the requests that came.

    ``breaks_after`` so many bytes the line is cut, every time.
    """
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(dict(self.headers) | {"path": self.path})
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            if breaks_after is None:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            sent = 0
            for piece in _pieces(data, length_s):
                if breaks_after is not None and sent + len(piece) > breaks_after:
                    self.close_connection = True
                    return
                chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
                try:
                    self.wfile.write(chunk if breaks_after is None else piece)
                except OSError:
                    return
                sent += len(piece)
            if breaks_after is None:
                with suppress(OSError):
                    self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *arguments: object) -> None:
            del arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_SDP = (
    b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\n"
    b"m=video 0 RTP/AVP 33\r\na=control:one\r\n"
)
_TS_PACKETS = 7 * 188  # that fit into one RTP packet


@contextmanager
def camera(data: bytes, *, length_s: float, breaks_after: int | None = None):
    """Serve an MPEG transport stream over RTSP, interleaved; gives the port and the sessions.

    ``breaks_after`` so many bytes the first session is cut; the next one goes on where it ended.
    """
    sessions: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                words = line.decode().split()
                headers = {}
                while (header := self.rfile.readline().decode().strip()) != "":
                    key, _, value = header.partition(": ")
                    headers[key.lower()] = value
                if words:
                    self.answer(words[0], headers)
                if words and words[0] == "PLAY":
                    sessions.append(words[1])
                    self.play()
                    return

        def answer(self, method: str, headers: dict[str, str]) -> None:
            more, body = "Session: 1\r\n", b""
            if method == "DESCRIBE":
                body = _SDP
                more += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            if method == "SETUP":
                more += f"Transport: {headers['transport']}\r\n"
            if method == "OPTIONS":
                more += "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            start = f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{more}\r\n"
            self.wfile.write(start.encode() + body)

        def play(self) -> None:
            part = data[:breaks_after] if len(sessions) == 1 else data[breaks_after or 0 :]
            number = sent = 0
            for piece in _pieces(part, length_s * len(part) / len(data)):
                sent += len(piece)
                while (number + 1) * _TS_PACKETS <= sent or (sent == len(part) and piece):
                    ts = part[number * _TS_PACKETS : (number + 1) * _TS_PACKETS]
                    if not ts:
                        break
                    clock = int(time.monotonic() * 90_000) & 0xFFFFFFFF
                    rtp = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, clock, 1) + ts
                    try:
                        self.wfile.write(struct.pack(">BBH", 0x24, 0, len(rtp)) + rtp)
                    except OSError:
                        return
                    number += 1

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1], sessions
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def growing(path, data: bytes, *, length_s: float):
    """Write bytes to a file over that many seconds, in the background."""
    first = len(data) // 10
    path.write_bytes(data[:first])

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for piece in _pieces(data[first:], length_s):
                file.write(piece)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        thread.join()
