"""Reports: answers made readable, for programs in JSON and for people in tables. Only formats."""
