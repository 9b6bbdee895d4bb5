"""What stands between a paper account and a live one: facts, a verdict, and records that show every edit."""
