"""The client of a server; `metaglot.serving.Client` is its face."""

from metaglot.serving.client.client import Client
from metaglot.serving.client.sending import ServerError

__all__ = ["Client", "ServerError"]
