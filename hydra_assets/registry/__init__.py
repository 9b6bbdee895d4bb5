"""The model registry: versions and artefacts behind a Protocol, and the record of who is champion."""

from hydra_assets.registry.port import RegisteredVersion, Registry, RegistryError

__all__ = ["RegisteredVersion", "Registry", "RegistryError"]
