"""What SHOW FUNCTIONS lists: name, signature, meaning of all that an expression may call upon."""

SIGNATURES = (
    ("+", "number + number → number", "sum"),
    ("-", "number - number → number", "difference; before a number its sign"),
    ("*", "number * number → number", "product"),
    ("/", "number / number → number", "quotient; of integers truncated toward zero"),
    ("%", "number % number → number", "remainder, with the sign of the dividend"),
    ("=", "any = same kind → boolean", "equal"),
    ("<>", "any <> same kind → boolean", "not equal; also written !="),
    ("<", "any < same kind → boolean", "less"),
    ("<=", "any <= same kind → boolean", "less or equal"),
    (">", "any > same kind → boolean", "greater"),
    (">=", "any >= same kind → boolean", "greater or equal"),
    ("AND", "boolean AND boolean → boolean", "both; FALSE if one is, else NULL if one is"),
    ("OR", "boolean OR boolean → boolean", "one of both; TRUE if one is, else NULL if one is"),
    ("NOT", "NOT boolean → boolean", "the contrary"),
    ("IS NULL", "any IS NULL → boolean", "whether there is no value"),
    ("IS NOT NULL", "any IS NOT NULL → boolean", "whether there is a value"),
)
