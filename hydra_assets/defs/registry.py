"""The model registry as a Dagster resource."""

import os
from functools import cached_property

import dagster as dg

from hydra_assets.registry.mlflow_registry import MlflowRegistry


class RegistryResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """MLflow tracking and registry at a database URL."""

    uri: str

    @cached_property
    def registry(self) -> MlflowRegistry:
        """Open the registry; it connects when it is first asked something."""
        return MlflowRegistry(self.uri)


def default_registry() -> RegistryResource:
    """The registry that the environment names."""
    return RegistryResource(uri=os.environ.get("MLFLOW_TRACKING_URI", ""))
