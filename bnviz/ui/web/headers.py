"""What every answer says to browsers, and what is refused before Streamlit sees it.

Scripts come from this server alone: a stranger's words that would be drawn as HTML run nothing. Other sites may show a
page in a frame only where its address says `?embed=true`, as Streamlit's own embedding does.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from google.protobuf.message import DecodeError
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # the address of a kept run is a secret of whoever shares it
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
UNSUPPORTED, UNREADABLE = 1003, 1007  # close codes of a websocket: a text where bytes belong, bytes that are no message


def page_policy(html: str, *, embedded: bool) -> dict[str, str]:
    """Return the headers of a page: its own inline scripts, and who may show it in a frame."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(html))
    inline = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    parts = {
        "default-src": "'self'",
        "script-src": f"'self' blob: {inline}",  # Streamlit makes a script of each component's own lines
        "style-src": "'self' 'unsafe-inline'",  # its styles, and Plotly's, are made while the page is shown
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' data: blob:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "*" if embedded else "'self'",
    }
    policy = {"Content-Security-Policy": "; ".join(f"{what} {where}" for what, where in parts.items())}
    return policy if embedded else policy | {"X-Frame-Options": "SAMEORIGIN"}


class Guarded:
    """An application whose answers carry the headers above, and whose websockets take only messages of Streamlit's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, _with_headers(send, _ALWAYS.items()))
        elif scope["type"] == "websocket":
            await self._app(scope, _only_messages(receive, send), send)
        else:
            await self._app(scope, receive, send)


def _with_headers(send: Send, always: Iterable[tuple[str, str]]) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in always:
                headers.setdefault(name, value)
        await send(message)

    return send_more


def _only_messages(receive: Receive, send: Send) -> Receive:
    async def receive_messages() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and (code := _fault(message)):
            await send({"type": "websocket.close", "code": code})
            return {"type": "websocket.disconnect", "code": code}
        return message

    return receive_messages


def _fault(message: Message) -> int:
    """Return the close code for a frame that is no message; 0 for one that is."""
    if (content := message.get("bytes")) is None:
        return UNSUPPORTED
    try:
        BackMsg().ParseFromString(content)
    except DecodeError:
        return UNREADABLE
    return 0
