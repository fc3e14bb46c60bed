"""How servers listen: they say when they have begun and when they end, and do not wait for slow heads of requests."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from metaglot.errors import MetaglotError

HEAD_SECONDS = 30.0  # in which the head of a request must come


class Protocol(H11Protocol):
    """HTTP/1.1 that closes a connection on which no head of a request comes in time, byte by byte or not at all."""

    seconds = HEAD_SECONDS
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Read some bytes."""
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._stop()

    def _look(self) -> None:
        """Wait for the rest of a head, or stop waiting where it is whole."""
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Server(uvicorn.Server):
    """A server that says when it has begun, and when it begins to end."""

    def __init__(
        self, config: uvicorn.Config, begun: Callable[[], None], ending: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._begun, self._ending = begun, ending

    async def startup(self, sockets: "list[object] | None" = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Listen."""
        await super().startup(sockets)  # pyright: ignore[reportArgumentType]
        if self.started:
            self._begun()

    async def shutdown(self, sockets: "list[object] | None" = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Answer what is being answered, and end."""
        self._ending()
        await super().shutdown(sockets)  # pyright: ignore[reportArgumentType]


def check_address(host: str, port: int) -> None:
    """Raise MetaglotError where an address is none of this machine, or another program listens there."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise MetaglotError(f"--host {host!r:.80}: no address of this machine; leave it out, or give one") from error
    with socket.socket(family, kind) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(address)
        except OSError as error:
            other = port + 1 if port < 65535 else port - 1
            why = f"{error.strerror or error}; give another port, such as --port {other}"
            raise MetaglotError(f"{host}:{port}: {why}") from error
