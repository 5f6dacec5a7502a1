"""What the routes work with, made once an application."""

from dataclasses import dataclass

from fastapi import Request

from atrium.gateway.relay import Relay
from atrium.gateway.relay_embeddings import EmbeddingRelay
from atrium.gateway.service import GatewayService
from functions.openai.door import Door


@dataclass(frozen=True, slots=True)
class Services:
    """The application's own."""

    door: Door
    gateway: GatewayService
    chats: Relay
    embeddings: EmbeddingRelay


def services_of(request: Request) -> Services:
    """Of the request's application."""
    state = request.app.state
    if not hasattr(state, "services"):
        runtime = state.runtime
        gateway, wire = runtime.gateway, runtime.openai_wire
        state.services = Services(Door(runtime.ledger), gateway, Relay(gateway, wire), EmbeddingRelay(gateway, wire))
    services: Services = state.services
    return services
