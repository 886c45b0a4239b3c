"""The rows of SHOW FUNCTIONS: operators and forms of the grammar, aggregates, then functions with their signatures."""

from jobplane.sql.functions import BUILT_IN, FunctionCatalogue

OPERATORS = (
    ("+", "number + number → number", "sum; also of a time and an interval"),
    ("-", "number - number → number", "difference; also of two times; before a number its sign"),
    ("*", "number * number → number", "product"),
    ("/", "number / number → number", "quotient; of whole numbers truncated toward zero"),
    ("%", "number % number → number", "remainder, with the sign of the dividend"),
    ("||", "VARCHAR || VARCHAR → VARCHAR", "both texts, bytes or arrays, one after the other"),
    ("=", "any = same kind → BOOLEAN", "equal"),
    ("<>", "any <> same kind → BOOLEAN", "not equal; also written !="),
    ("<", "any < same kind → BOOLEAN", "less"),
    ("<=", "any <= same kind → BOOLEAN", "less or equal"),
    (">", "any > same kind → BOOLEAN", "greater"),
    (">=", "any >= same kind → BOOLEAN", "greater or equal"),
    ("AND", "BOOLEAN AND BOOLEAN → BOOLEAN", "both; FALSE if one is, else NULL if one is"),
    ("OR", "BOOLEAN OR BOOLEAN → BOOLEAN", "one of both; TRUE if one is, else NULL if one is"),
    ("NOT", "NOT BOOLEAN → BOOLEAN", "the contrary"),
    ("IS NULL", "any IS [NOT] NULL → BOOLEAN", "whether there is no value"),
    ("IS TRUE", "BOOLEAN IS [NOT] TRUE → BOOLEAN", "whether it is; also IS FALSE and IS UNKNOWN; never NULL"),
    ("IS DISTINCT FROM", "any IS [NOT] DISTINCT FROM same kind → BOOLEAN", "not equal, with NULL equal to NULL"),
    ("BETWEEN", "any [NOT] BETWEEN [SYMMETRIC] low AND high → BOOLEAN", "low <= any AND any <= high"),
    ("IN", "any [NOT] IN (same kind, …) → BOOLEAN", "equal to one of them"),
    ("LIKE", "VARCHAR [NOT] LIKE pattern [ESCAPE character] → BOOLEAN", "% stands for any text, _ for one character"),
)
FORMS = (
    (
        "CASE",
        "CASE [value] WHEN condition THEN result … [ELSE result] END",
        "the result of the first condition that is TRUE",
    ),
    (
        "CAST",
        "CAST(value AS type)",
        "the value as another type; also written value::type; an error if it cannot be converted",
    ),
    ("TRY_CAST", "TRY_CAST(value AS type)", "the value as another type, NULL if it cannot be converted"),
    ("COALESCE", "COALESCE(value, …)", "the first that is not NULL"),
    ("IFNULL", "IFNULL(value, other)", "the value, or the other if the value is NULL"),
    ("NULLIF", "NULLIF(value, other)", "NULL if both are equal, else the value"),
    ("TRANSFORM", "TRANSFORM(array, x => …)", "the array of the lambda's results, one for each element"),
    ("FILTER", "FILTER(array, x => condition)", "the elements for which the lambda is TRUE"),
    (
        "REDUCE",
        "REDUCE(array, start, (acc, x) => …)",
        "the last result of the lambda; acc is start, then its previous result",
    ),
    ("TYPEOF", "TYPEOF(value) → VARCHAR", "the name of its type"),
    ("ARRAY", "ARRAY[element, …] → ARRAY<T>", "an array; array[1] is its first element"),
    ("MAP", "MAP[key, value, …] → MAP<K, V>", "a map; map['key'] is a value of it"),
    ("ROW", "ROW(value, …)", "a row; row.name is a field of it"),
    (
        "AT TIME ZONE",
        "time AT TIME ZONE zone",
        "the local time of an instant in the zone, or the instant of a local time",
    ),
    ("UNNEST", "FROM … CROSS JOIN UNNEST(array) [WITH ORDINALITY] AS name", "a row for each element"),
)


def list_functions(catalogue: FunctionCatalogue = BUILT_IN) -> list[tuple[str, str, str, str]]:
    """(name, signature, meaning, package) of all that an expression may call upon; the language's own has none."""
    forms = [(*one, "") for one in (*OPERATORS, *FORMS)]
    functions = [one for name in sorted(catalogue.functions) for one in catalogue.functions[name]]
    listed = ((one.name, one.signature, one.summary, str(one.package or "")) for one in functions)
    return [*forms, *list_aggregates(catalogue), *listed]


def list_aggregates(catalogue: FunctionCatalogue = BUILT_IN) -> list[tuple[str, str, str, str]]:
    """(name, signature, meaning, package) of all aggregates."""
    found = [one for name in sorted(catalogue.aggregates) for one in catalogue.aggregates[name]]
    return [(one.name, one.signature, one.function.summary, str(one.function.package or "")) for one in found]
