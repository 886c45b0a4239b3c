"""Functions of other systems, and what to write here instead: for the message about an unknown function.

The expression on the right compiles as it is, with columns for its arguments. A name with an entry here, or in ANOTHER,
is never taken for a misspelt function of ours.
"""

ELSEWHERE = {
    # aggregates
    **dict.fromkeys(("GROUP_CONCAT", "LIST_AGG", "STRING_AGGREGATE"), "STRING_AGG(text, ', ')"),
    **dict.fromkeys(("COLLECT_LIST", "COLLECT", "JSON_AGG", "JSON_ARRAYAGG", "GROUP_ARRAY"), "ARRAY_AGG(value)"),
    **dict.fromkeys(("COLLECT_SET", "GROUP_UNIQ_ARRAY"), "ARRAY_AGG(DISTINCT value)"),
    "FIRST": "EARLIEST_BY_OFFSET(value)",
    **dict.fromkeys(("LAST", "ANY_VALUE"), "LATEST_BY_OFFSET(value)"),
    **dict.fromkeys(("JSON_OBJECTAGG", "JSON_OBJECT_AGG", "OBJECT_AGG"), "MAP_AGG(key, value)"),
    "COUNT_DISTINCT": "COUNT(DISTINCT value)",
    **dict.fromkeys(("COUNT_IF", "COUNTIF"), "COUNT(*) FILTER (WHERE condition)"),
    **dict.fromkeys(("SUM_IF", "SUMIF"), "SUM(value) FILTER (WHERE condition)"),
    **dict.fromkeys(("AVG_IF", "AVGIF"), "AVG(value) FILTER (WHERE condition)"),
    **dict.fromkeys(("ARG_MAX", "ARGMAX"), "MAX_BY(value, by)"),
    **dict.fromkeys(("ARG_MIN", "ARGMIN"), "MIN_BY(value, by)"),
    "MEAN": "AVG(value)",
    **dict.fromkeys(("LOGICAL_AND", "BOOLAND_AGG"), "EVERY(condition)"),
    **dict.fromkeys(("LOGICAL_OR", "BOOLOR_AGG"), "ANY(condition)"),
    **dict.fromkeys(("APPROX_DISTINCT", "UNIQ", "NDV", "HLL"), "APPROX_COUNT_DISTINCT(value)"),
    **dict.fromkeys(
        ("MEDIAN", "PERCENTILE", "QUANTILE", "PERCENTILE_CONT", "PERCENTILE_DISC", "APPROX_QUANTILE"),
        "APPROX_PERCENTILE(value, 0.5)",
    ),
    # conditions
    **dict.fromkeys(("NVL", "ISNULL", "VALUE_OR"), "IFNULL(value, other)"),
    "NVL2": "CASE WHEN value IS NOT NULL THEN one ELSE other END",
    **dict.fromkeys(("IF", "IIF", "IFF"), "CASE WHEN condition THEN value ELSE other END"),
    "DECODE": "CASE value WHEN 1 THEN 'one' ELSE 'other' END",
    "ZEROIFNULL": "IFNULL(number, 0)",
    "NULLIFZERO": "NULLIF(number, 0)",
    "ISNOTNULL": "value IS NOT NULL",
    # text
    **dict.fromkeys(("STRPOS", "CHARINDEX", "LOCATE"), "INSTR(text, part)"),
    "MID": "SUBSTRING(text, 1, 3)",
    "STRLEN": "LENGTH(text)",
    **dict.fromkeys(("LENGTHB", "BYTE_LENGTH", "DATALENGTH"), "OCTET_LENGTH(text)"),
    "TO_NCHAR": "CAST(value AS VARCHAR)",
    "REPLICATE": "REPEAT(text, 3)",
    "SPACE": "REPEAT(' ', 3)",
    "STUFF": "OVERLAY(text, 'new', 1, 3)",
    "PROPER": "INITCAP(text)",
    "CHAR": "CHR(code)",
    **dict.fromkeys(("ORD", "UNICODE"), "ASCII(text)"),
    **dict.fromkeys(("STRING_SPLIT", "SPLIT_TO_ARRAY", "STRING_TO_ARRAY", "STR_SPLIT"), "SPLIT(text, ',')"),
    "SUBSTRING_INDEX": "SPLIT_PART(text, ',', 1)",
    "FIND_IN_SET": "ARRAY_POSITION(SPLIT(text, ','), part)",
    **dict.fromkeys(("CONTAINS_SUBSTR", "STR_CONTAINS"), "CONTAINS(text, part)"),
    **dict.fromkeys(("RLIKE", "REGEXP", "REGEXP_CONTAINS", "REGEXP_MATCHES"), "REGEXP_LIKE(text, 'a.*')"),
    **dict.fromkeys(("REGEXP_SUBSTR", "REGEX_EXTRACT"), "REGEXP_EXTRACT(text, 'a(.*)', 1)"),
    "REGEXP_FULL_MATCH": "REGEXP_LIKE(text, '^a.*$')",
    "PREFIX": "STARTS_WITH(text, part)",
    "SUFFIX": "ENDS_WITH(text, part)",
    "REPLACEALL": "REPLACE(text, part, 'new')",
    "TO_BYTES": "TO_UTF8(text)",
    "FROM_BYTES": "FROM_UTF8(data)",
    "PARSE_URL": "URL_EXTRACT_HOST(url)",
    # conversions
    **{
        name: f"CAST(value AS {name})"
        for name in ("DATE", "TIME", "TIMESTAMP", "BIGINT", "DOUBLE", "VARCHAR", "STRING")
    },
    **dict.fromkeys(("TO_STRING", "TO_VARCHAR", "STR", "TOSTRING", "CONVERT"), "CAST(value AS VARCHAR)"),
    **dict.fromkeys(("TO_NUMBER", "TO_INTEGER", "TO_INT64", "TO_BIGINT", "INT"), "CAST(value AS BIGINT)"),
    **dict.fromkeys(("TO_DOUBLE", "TO_FLOAT"), "CAST(value AS DOUBLE)"),
    **dict.fromkeys(("TO_DECIMAL", "TO_NUMERIC"), "CAST(value AS DECIMAL(12, 2))"),
    "TO_BOOLEAN": "CAST(value AS BOOLEAN)",
    **dict.fromkeys(("SAFE_CAST", "TRY_CONVERT", "TRY_TO_NUMBER"), "TRY_CAST(value AS BIGINT)"),
    "HEX": "TO_HEX(TO_UTF8(text))",
    "UNHEX": "FROM_HEX(text)",
    **dict.fromkeys(("BASE64", "BASE64_ENCODE"), "TO_BASE64(TO_UTF8(text))"),
    **dict.fromkeys(("UNBASE64", "BASE64_DECODE", "BASE64_DECODE_STRING"), "FROM_UTF8(FROM_BASE64(text))"),
    "SHA": "SHA1(text)",
    **dict.fromkeys(("SHA2", "HASH_SHA256", "SHA2_HEX"), "SHA256(text)"),
    "MD5_HEX": "MD5(text)",
    # numbers
    **dict.fromkeys(("SGN", "SIGNUM"), "SIGN(number)"),
    **dict.fromkeys(("MODULO", "REMAINDER"), "MOD(number, other)"),
    **dict.fromkeys(("NEGATIVE", "NEGATE"), "-number"),
    "DIV": "number / other",
    "LOG2": "LOG(2, number)",
    "ATN2": "ATAN2(y, x)",
    **{f"{name}D": f"{name}(RADIANS(angle))" for name in ("SIN", "COS", "TAN", "COT")},
    **{f"{name}D": f"DEGREES({name}(number))" for name in ("ASIN", "ACOS", "ATAN")},
    "ATAN2D": "DEGREES(ATAN2(y, x))",
    # times
    **dict.fromkeys(("UNIX_MILLIS", "EPOCH_MS"), "TO_EPOCH_MILLIS(moment)"),
    **dict.fromkeys(
        ("UNIX_TIMESTAMP", "UNIX_SECONDS", "TO_UNIXTIME", "TO_UNIX_TIMESTAMP"), "TO_EPOCH_MILLIS(moment) / 1000"
    ),
    **dict.fromkeys(("TIMESTAMP_MILLIS", "TO_TIMESTAMP_LTZ", "FROM_EPOCH_MILLIS"), "TO_TIMESTAMP(millis)"),
    **dict.fromkeys(("TIMESTAMP_SECONDS", "FROM_EPOCH_SECONDS"), "TO_TIMESTAMP(1000 * seconds)"),
    **dict.fromkeys(
        (
            *("DATE_FORMAT", "FORMAT_DATE", "FORMAT_TIMESTAMP", "FORMAT_DATETIME", "TIMESTAMPTOSTRING"),
            *("DATETOSTRING", "STRFTIME"),
        ),
        "TO_CHAR(moment, 'YYYY-MM-DD')",
    ),
    "TRY_TO_DATE": "TRY_CAST(text AS DATE)",
    "FROM_ISO8601_TIMESTAMP": "TO_TIMESTAMP_TZ(text)",
    **dict.fromkeys(("PARSE_DATE", "STRINGTODATE", "STR_TO_DATE"), "TO_DATE(text, 'YYYY-MM-DD')"),
    **dict.fromkeys(
        ("PARSE_TIMESTAMP", "PARSE_DATETIME", "STRINGTOTIMESTAMP", "STRPTIME", "TO_DATETIME", "TODATETIME"),
        "TO_TIMESTAMP(text, 'YYYY-MM-DD HH24:MI:SS')",
    ),
    **dict.fromkeys(
        ("DATEADD", "TIMESTAMPADD", "TIMESTAMP_ADD", "DATETIME_ADD", "ADDDATE"), "DATE_ADD(moment, INTERVAL '1' DAY)"
    ),
    **dict.fromkeys(
        ("DATE_SUB", "DATESUB", "TIMESTAMP_SUB", "TIMESTAMPSUB", "SUBDATE"), "DATE_ADD(moment, INTERVAL -'1' DAY)"
    ),
    "ADD_MONTHS": "DATE_ADD(moment, INTERVAL '1' MONTH)",
    **dict.fromkeys(("DATEDIFF", "TIMESTAMPDIFF", "TIMESTAMP_DIFF", "DATETIME_DIFF"), "DATE_DIFF('DAY', begun, ended)"),
    **dict.fromkeys(("DATETRUNC", "TIMESTAMP_TRUNC", "DATETIME_TRUNC", "TIME_TRUNC"), "DATE_TRUNC('HOUR', moment)"),
    **{
        unit: f"EXTRACT({unit} FROM moment)"
        for unit in ("YEAR", "QUARTER", "MONTH", "WEEK", "HOUR", "MINUTE", "SECOND")
    },
    **dict.fromkeys(("DAY", "DAYOFMONTH"), "EXTRACT(DAY FROM moment)"),
    **dict.fromkeys(("DAYOFWEEK", "DAYOFWEEK_ISO"), "EXTRACT(ISODOW FROM moment)"),
    **{name: f"EXTRACT({name} FROM moment)" for name in ("MICROSECOND", "EPOCH")},
    "DAYNAME": "TO_CHAR(moment, 'Day')",
    "MONTHNAME": "TO_CHAR(moment, 'Month')",
    "DAYOFYEAR": "EXTRACT(DOY FROM moment)",
    "WEEKOFYEAR": "EXTRACT(WEEK FROM moment)",
    **dict.fromkeys(("CONVERT_TZ", "CONVERT_TIMEZONE", "FROM_UTC_TIMESTAMP"), "AT_TIME_ZONE(moment, 'Europe/Berlin')"),
    "EOMONTH": "LAST_DAY(day)",
    **dict.fromkeys(("DATEFROMPARTS", "DATE_FROM_PARTS"), "MAKE_DATE(2026, 1, 31)"),
    "MAKE_TIMESTAMPTZ": "AT_TIME_ZONE(MAKE_TIMESTAMP(2026, 1, 31, 8, 30, 0), 'Europe/Berlin')",
    "TIMESTAMP_FROM_PARTS": "MAKE_TIMESTAMP(2026, 1, 31, 8, 30, 0)",
    # arrays and maps
    **dict.fromkeys(("SIZE", "ARRAY_SIZE", "ARRAY_COUNT", "LIST_LENGTH", "LIST_SIZE"), "CARDINALITY(array)"),
    **dict.fromkeys(("MAP_SIZE", "MAP_LENGTH"), "CARDINALITY(MAP_KEYS(map))"),
    **dict.fromkeys(("LIST_CONTAINS", "ANY", "SOME", "ARRAYCONTAINS", "ARRAY_HAS"), "ARRAY_CONTAINS(array, value)"),
    **dict.fromkeys(("MAP_CONTAINS_KEY", "MAP_CONTAINS"), "ARRAY_CONTAINS(MAP_KEYS(map), 'key')"),
    **dict.fromkeys(("ARRAY_CAT", "LIST_CONCAT"), "ARRAY_CONCAT(array, other)"),
    **dict.fromkeys(("ARRAY_APPEND", "LIST_APPEND", "ARRAY_PUSH"), "ARRAY_CONCAT(array, ARRAY[value])"),
    "ARRAY_PREPEND": "ARRAY_CONCAT(ARRAY[value], array)",
    **dict.fromkeys(("ARRAY_FILTER", "LIST_FILTER", "ARRAYFILTER"), "FILTER(array, x => x > 0)"),
    "MAP_FILTER": "FILTER(map, (k, v) => v > 0)",
    **dict.fromkeys(("ARRAY_MAP", "ARRAY_TRANSFORM", "LIST_TRANSFORM", "ARRAYMAP"), "TRANSFORM(array, x => x + 1)"),
    **dict.fromkeys(("TRANSFORM_VALUES", "TRANSFORM_KEYS"), "TRANSFORM(map, (k, v) => UPPER(k), (k, v) => v + 1)"),
    **dict.fromkeys(("ARRAY_REDUCE", "LIST_REDUCE", "AGGREGATE", "FOLD"), "REDUCE(array, 0, (acc, x) => acc + x)"),
    **dict.fromkeys(("ARRAY_SUM", "LIST_SUM"), "REDUCE(array, 0, (acc, x) => acc + x)"),
    **dict.fromkeys(("ANY_MATCH", "ARRAY_EXISTS"), "CARDINALITY(FILTER(array, x => x > 0)) > 0"),
    **dict.fromkeys(("ARRAY_TO_STRING", "LIST_TO_STRING"), "ARRAY_JOIN(array, ', ')"),
    **dict.fromkeys(("ARRAY_SLICE", "LIST_SLICE"), "SLICE(array, 1, 3)"),
    **dict.fromkeys(("SORT_ARRAY", "LIST_SORT"), "ARRAY_SORT(array)"),
    "LIST_REVERSE": "ARRAY_REVERSE(array)",
    **dict.fromkeys(("LIST_DISTINCT", "ARRAY_UNIQUE"), "ARRAY_DISTINCT(array)"),
    **dict.fromkeys(("LIST_POSITION", "ARRAY_INDEXOF"), "ARRAY_POSITION(array, value)"),
    "ARRAY_INTERSECTION": "ARRAY_INTERSECT(array, other)",
    **dict.fromkeys(("GET", "ITEM", "LIST_ELEMENT", "ARRAY_FIRST"), "array[1]"),
    **dict.fromkeys(("ARRAY_CONSTRUCT", "LIST_VALUE", "MAKE_ARRAY"), "ARRAY[1, 2]"),
    **dict.fromkeys(("STRUCT", "STRUCT_PACK", "NAMED_STRUCT"), "ROW(value, other)"),
    "STRUCT_EXTRACT": "value.field",
    "MAP_EXTRACT": "ELEMENT_AT(map, 'key')",
    "AS_MAP": "MAP['key', value]",
    **dict.fromkeys(("EXPLODE", "POSEXPLODE", "FLATTEN"), "FROM source CROSS JOIN UNNEST(array) AS item"),
    # JSON
    **dict.fromkeys(
        (
            *("EXTRACTJSONFIELD", "JSON_EXTRACT_SCALAR", "JSON_EXTRACT_STRING", "GET_JSON_OBJECT"),
            *("JSON_EXTRACT_PATH_TEXT", "JSON_UNQUOTE"),
        ),
        "JSON_VALUE(document, '$.field')",
    ),
    **dict.fromkeys(("JSON_EXTRACT", "JSON_EXTRACT_PATH"), "JSON_QUERY(document, '$.field')"),
    **dict.fromkeys(("FROM_JSON", "JSON_PARSE"), "PARSE_JSON(text)"),
    **dict.fromkeys(
        ("TO_JSON_STRING", "TOJSONSTRING", "JSON_FORMAT", "JSON_SERIALIZE"), "CAST(TO_JSON(value) AS VARCHAR)"
    ),
    **dict.fromkeys(("JSON_BUILD_OBJECT", "OBJECT_CONSTRUCT"), "JSON_OBJECT('name', value)"),
    "JSON_BUILD_ARRAY": "JSON_ARRAY(value, other)",
    "JSON_LENGTH": "JSON_ARRAY_LENGTH(document)",
    **dict.fromkeys(("JSON_OBJECT_KEYS", "OBJECT_KEYS"), "JSON_KEYS(document)"),
    **dict.fromkeys(("JSON_CONTAINS_PATH", "JSON_PATH_EXISTS"), "JSON_EXISTS(document, '$.field')"),
}  # fmt: skip
"""Their name → what is written here."""
ANOTHER = frozenset({
    *("ACOSH", "ASINH", "ATANH", "COSH", "COTH", "SINH", "TANH", "OCT", "POSITIVE", "GREATER", "ELEMENT"),
    *("ARRAY_POSITIONS", "INSTRB", "SUBSTRB", "JSON_VALID", "JSON_TABLE", "MAKEDATE", "MAKETIME"),
    *("MAKE_TIME", "TO_TIME"),
})  # fmt: skip
"""Names that mean something that no function here does, and are written nearly like one of ours."""
