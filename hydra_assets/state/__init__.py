"""Tables and types that assets, agent and execution share, in the schema ``hydra`` of the one database.

Pure types (``records``, ``system``) import nothing but the standard library; everything else is SQLAlchemy Core.
"""
