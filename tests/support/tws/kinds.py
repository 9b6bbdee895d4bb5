"""Numbers of the messages, both ways; names are those of the client's decoder and request methods."""

from enum import IntEnum


class Out(IntEnum):
    """What the server says."""

    TICK_PRICE = 1
    TICK_SIZE = 2
    ORDER_STATUS = 3
    ERROR = 4
    OPEN_ORDER = 5
    ACCOUNT_VALUE = 6
    PORTFOLIO = 7
    ACCOUNT_TIME = 8
    NEXT_VALID_ID = 9
    CONTRACT = 10
    EXECUTION = 11
    MANAGED_ACCOUNTS = 15
    HISTORY = 17
    CURRENT_TIME = 49
    CONTRACT_END = 52
    OPEN_ORDER_END = 53
    ACCOUNT_END = 54
    EXECUTION_END = 55
    SNAPSHOT_END = 57
    MARKET_DATA_TYPE = 58
    COMMISSION = 59
    POSITION = 61
    POSITION_END = 62
    SUMMARY = 63
    SUMMARY_END = 64
    POSITION_MULTI = 71
    POSITION_MULTI_END = 72
    ACCOUNT_MULTI = 73
    ACCOUNT_MULTI_END = 74
    TICK_PARAMETERS = 81
    MARKET_RULE = 93
    PNL = 94
    PNL_SINGLE = 95
    COMPLETED_ORDER = 101
    COMPLETED_ORDER_END = 102


class Ask(IntEnum):
    """What a client asks."""

    MARKET_DATA = 1
    CANCEL_MARKET_DATA = 2
    PLACE_ORDER = 3
    CANCEL_ORDER = 4
    OPEN_ORDERS = 5
    ACCOUNT_UPDATES = 6
    EXECUTIONS = 7
    NEXT_ID = 8
    CONTRACT = 9
    AUTO_OPEN_ORDERS = 15
    ALL_OPEN_ORDERS = 16
    MANAGED_ACCOUNTS = 17
    HISTORY = 20
    CANCEL_HISTORY = 25
    CURRENT_TIME = 49
    GLOBAL_CANCEL = 58
    MARKET_DATA_TYPE = 59
    POSITIONS = 61
    SUMMARY = 62
    CANCEL_SUMMARY = 63
    CANCEL_POSITIONS = 64
    START = 71
    POSITIONS_MULTI = 74
    CANCEL_POSITIONS_MULTI = 75
    ACCOUNT_MULTI = 76
    CANCEL_ACCOUNT_MULTI = 77
    MARKET_RULE = 91
    PNL = 92
    CANCEL_PNL = 93
    PNL_SINGLE = 94
    CANCEL_PNL_SINGLE = 95
    COMPLETED_ORDERS = 99


REQUEST_ID_AT = {
    Ask.MARKET_DATA: 2,
    Ask.PLACE_ORDER: 1,
    Ask.CANCEL_ORDER: 2,
    Ask.EXECUTIONS: 2,
    Ask.CONTRACT: 2,
    Ask.HISTORY: 1,
    Ask.SUMMARY: 2,
    Ask.POSITIONS_MULTI: 2,
    Ask.ACCOUNT_MULTI: 2,
    Ask.PNL: 1,
    Ask.PNL_SINGLE: 1,
}
"""Where a request carries its id. Those that carry none get errors without one, which end no request of a client."""
END_OF = {
    Ask.OPEN_ORDERS: Out.OPEN_ORDER_END,
    Ask.ALL_OPEN_ORDERS: Out.OPEN_ORDER_END,
    Ask.COMPLETED_ORDERS: Out.COMPLETED_ORDER_END,
    Ask.POSITIONS: Out.POSITION_END,
    Ask.ACCOUNT_UPDATES: Out.ACCOUNT_END,
    Ask.ACCOUNT_MULTI: Out.ACCOUNT_MULTI_END,
    Ask.EXECUTIONS: Out.EXECUTION_END,
    Ask.CONTRACT: Out.CONTRACT_END,
    Ask.SUMMARY: Out.SUMMARY_END,
}
"""The message that ends an answer."""
