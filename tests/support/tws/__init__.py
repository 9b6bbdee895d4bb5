"""A loopback TWS: a server that speaks Interactive Brokers' protocol, well or as a script says; see README.md."""

from .book import Liquidity, Quote, Tape
from .broker import Terms
from .contracts import Future, FutureOption, MarketRule, chain, listing
from .kinds import Ask, Out
from .messages.market import HistoryBar
from .records import BrokerExecution, BrokerOrder, BrokerPosition, Side, Status
from .script import Script, script
from .server import HOST, LoopbackTws
from .terminal import Config, Terminal

__all__ = [
    "HOST",
    "Ask",
    "BrokerExecution",
    "BrokerOrder",
    "BrokerPosition",
    "Config",
    "Future",
    "FutureOption",
    "HistoryBar",
    "Liquidity",
    "LoopbackTws",
    "MarketRule",
    "Out",
    "Quote",
    "Script",
    "Side",
    "Status",
    "Tape",
    "Terminal",
    "Terms",
    "chain",
    "listing",
    "script",
]
