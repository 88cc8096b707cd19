"""Who has a container's name, and what a container is called that had to give one up."""

from __future__ import annotations

from rollout.engine.docker.api import Api, Json
from rollout.errors import NotFoundError
from rollout.model import labels


def holder_of(api: Api, name: str) -> Json | None:
    """The container of that very name, as inspected; the engine takes parts of ids too."""
    try:
        found = api.inspect(name)
    except NotFoundError:
        return None
    return found if found["Name"] == f"/{name}" else None


def slot_name(inspected: Json) -> str:
    """A task's name without `container_name`, for one that Compose made too."""
    mine = inspected["Config"].get("Labels") or {}
    number = labels.whole(mine.get(labels.SLOT) or mine.get(labels.COMPOSE_NUMBER), labels.MAX_SLOT)
    return labels.container_name(
        mine[labels.COMPOSE_PROJECT],
        mine[labels.COMPOSE_SERVICE],
        number or 1,
        mine.get(labels.TASK) or inspected["Id"][:25],
    )
