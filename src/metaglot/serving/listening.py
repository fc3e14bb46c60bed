"""A server of uvicorn that says when it listens."""

from collections.abc import Callable

import uvicorn


class Server(uvicorn.Server):
    """A server that says when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: "list[object] | None" = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Listen."""
        await super().startup(sockets)  # pyright: ignore[reportArgumentType]
        if self.started:
            self._begun()
