"""Collection strategies for tests of the engine, written as short as a ladder can be."""

from __future__ import annotations

from typing import Any

from scenarios.strategy import CollectionStrategy

SOURCE = "assumption of a test, nothing else"


def ladder(*rungs: dict[str, Any], name: str = "tried", **more: Any) -> CollectionStrategy:
    """A strategy of the rungs given; `more` are other fields, `pools` and `incidents` among them."""
    fields = {"title": "of a test", "currency": "USD", "source": SOURCE, **more}
    return CollectionStrategy.model_validate({"name": name, "ladder": list(rungs), **fields})


def rung(action: str, **fields: Any) -> dict[str, Any]:
    """A rung as plain data."""
    return {"action": action, **fields}
