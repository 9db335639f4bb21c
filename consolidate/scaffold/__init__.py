"""Drafts: a mapping folder from a store that nobody has mapped yet, with every guess and every open question marked."""
