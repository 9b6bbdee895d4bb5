"""Interactive Brokers behind the port: the real client, with every callback recorded beneath it."""
