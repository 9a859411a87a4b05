"""Stores in SQL databases, on SQLAlchemy Core: one schema, one set of statements, and a small module per database."""
