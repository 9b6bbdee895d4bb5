"""The risk stack and the replay: costs, fills, sizes and breakers, shared by simulation and execution.

Two replays keep the same books: ``batched`` steps through sessions with all candidates and markets at once, ``events``
lives one candidate's orders, fills and cash one at a time. Both must give the same money to the cent.
"""
