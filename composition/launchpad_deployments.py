"""Programs onto the chain: what of the queue `launchpad` they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.launchpad.deployment import DeploymentActivities
from composition.parts import Parts
from gateways.protocols import SolanaNodes
from gateways.solana.loader import LoaderProgram
from settings import WorkerSettings
from storage.launchpad.deployments import DeploymentStore


def deployments(settings: WorkerSettings, opened: Parts, nodes: SolanaNodes) -> list[Callable[..., Any]]:
    loader = LoaderProgram(settings.solana_platform_address)
    steps = DeploymentActivities(DeploymentStore(opened.pool), nodes, loader, settings.launchpad_deploy_at_once)
    return [
        steps.read_deployment,
        steps.plan_effect,
        steps.plan_chunks,
        steps.compare_buffer,
        steps.check_published,
        steps.end_deployment,
    ]
