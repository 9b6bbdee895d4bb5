"""A broker that lives on quotes drawn from daily bars, in time of its own, with books that outlive its user."""
