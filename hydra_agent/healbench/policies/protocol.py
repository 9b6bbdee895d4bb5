"""What a policy is."""

from typing import Protocol

from hydra_agent.healbench.case import Case, Record


class Policy(Protocol):
    """A plug-in: one way to run a champion on a case. Sees the view; only the oracle looks at the truth."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def run(self, case: Case) -> Record:
        """Run the case from its first champion to the end of its path."""
        ...
