"""What becomes of records: a batch goes through the compiled query, and each record that fails gets a verdict.

Tasks, dry runs and the record browser use the same.
"""
