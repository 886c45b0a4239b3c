"""From a query to its plan: sources, steps and the sink, with everything checked that needs no record."""
