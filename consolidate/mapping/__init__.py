"""Mappings: files that people write, read into frozen values and compiled to SQL. Data, never code."""
