"""Listings on a terminal: drawn at its width, through a pager where they are long."""
