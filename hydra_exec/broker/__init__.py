"""Brokers behind one Protocol."""

from hydra_exec.broker.port import Bar, Broker, Execution, WorkingOrder
from hydra_exec.broker.simulated import SimulatedBroker

__all__ = ["Bar", "Broker", "Execution", "SimulatedBroker", "WorkingOrder"]
