"""What has to stand before anything runs: the database, its schemas, the environment, the Dagster instance."""
