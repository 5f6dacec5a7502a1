"""What the routes work with, made once an application."""

from dataclasses import dataclass

from fastapi import Request

from atrium.gateway.relay import Relay
from atrium.gateway.service import GatewayService
from atrium.providers.openai_relay import OpenAIRelay
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
        gateway = state.runtime.gateway
        relay = Relay(gateway.ledger, gateway.router, OpenAIRelay(), gateway.speaker)
        state.services = Services(Door(gateway.ledger), gateway, relay)
    services: Services = state.services
    return services
