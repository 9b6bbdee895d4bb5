"""Migrations of the schema ``hydra``, oldest first; a migration that has been released is never edited."""
