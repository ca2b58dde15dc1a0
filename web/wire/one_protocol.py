"""A client may ask for another protocol along with its request, and is answered in HTTP/1.1 (RFC 9110, section 7.8).

Java's client offers HTTP/2 with each first request, curl with ``--http2``. The parser takes the offer for accepted: it ends the
request at its head, and what should be the body for whatever the other protocol may say.
"""

import httptools

from web.wire.line import LineProtocol


class OneProtocol(LineProtocol):
    """uvicorn's protocol without any other: the head of such a request is read once more without the offer."""

    def data_received(self, data: bytes) -> None:
        """Takes what has come."""
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offered:
                if not self.offers_another():
                    return  # a tunnel was asked for (CONNECT), and that was answered
                data = self._head_without_the_offer() + data[offered.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return

    def offers_another(self) -> bool:
        """Whether the request whose head is complete offers another protocol, and will come again without that."""
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _head_without_the_offer(self) -> bytes:
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%s: %s" % pair for pair in self.headers if pair[0] != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"
