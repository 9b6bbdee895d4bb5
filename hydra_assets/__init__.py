"""What is: sources, the bitemporal lake, and every dataset up to the judged model, as Dagster assets."""
