"""`/healthz`, `/readyz` and `/metrics`: for those who run the server."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import select

from metaglot.serving.api.context import Ctx
from metaglot.serving.forms.answers import Health
from metaglot.serving.store.database import UnavailableError
from metaglot.version import __version__

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def alive() -> Health:
    """Return that the process answers."""
    return Health(status="ok", version=__version__)


@router.get("/readyz", responses={503: {"model": Health}})
async def ready(response: Response, context: Ctx) -> Health:
    """Return whether the model is loaded, the database answers and something adapts."""
    try:
        await context.reading(lambda session: session.scalar(select(1)))
        status = "ok" if context.dispatcher.ready else "starting"
    except UnavailableError:
        status = "unavailable"
    if status != "ok":
        response.status_code = 503
        response.headers["Retry-After"] = "1"
    return Health(status=status, model=context.model, version=__version__)


@router.get("/metrics", response_class=Response)
async def metrics(context: Ctx) -> Response:
    """Return the meters, as Prometheus reads them; needs a token of the scope metrics where there are tokens."""
    return Response(context.meters.page(), media_type=CONTENT_TYPE_LATEST)
