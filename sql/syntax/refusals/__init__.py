"""Why a text is refused: what was found, what was expected, and what to write instead."""
