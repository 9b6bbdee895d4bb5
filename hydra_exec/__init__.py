"""What trades: turns the promoted champion's predictions into orders and fills."""
