"""What the routes work with, made once an application."""

from dataclasses import dataclass

from fastapi import Request

from atrium.gateway.relay import Relay
from atrium.gateway.service import GatewayService
from functions.openai.door import Door


@dataclass(frozen=True, slots=True)
class Services:
    """The application's own."""

    door: Door
    gateway: GatewayService
    relay: Relay


def services_of(request: Request) -> Services:
    """Of the request's application."""
    state = request.app.state
    if not hasattr(state, "services"):
        runtime = state.runtime
        state.services = Services(Door(runtime.ledger), runtime.gateway, runtime.relay)
    services: Services = state.services
    return services
