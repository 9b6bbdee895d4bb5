"""What was held, earned and paid: rows from fills and settles, in whole cents."""
