"""Policies of the benchmark, each a plug-in behind ``protocol.Policy``; ``POLICIES`` has them all by name."""

from collections.abc import Mapping

from hydra_agent.healbench.policies.alarmed import DetectThenRetrain, NewestWins
from hydra_agent.healbench.policies.hydra import Hydra
from hydra_agent.healbench.policies.misled import MisledHydra
from hydra_agent.healbench.policies.protocol import Policy
from hydra_agent.healbench.policies.simple import DoNothing, Oracle, RetrainEvery
from hydra_agent.healbench.policies.told import Told

__all__ = ["POLICIES", "Policy"]

POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        DoNothing(),
        RetrainEvery(21),
        RetrainEvery(63),
        RetrainEvery(126),
        DetectThenRetrain(),
        NewestWins(),
        Hydra(),
        MisledHydra(),
        Told(),
        Oracle(),
    )
}
