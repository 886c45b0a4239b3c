"""Builds statements from parse trees, with one method for each rule of the grammar."""
