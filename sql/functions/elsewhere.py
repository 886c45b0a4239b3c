"""What functions are called that other engines have under other names: for the error that names ours."""

ELSEWHERE = {
    **dict.fromkeys(("NVL", "ISNULL"), "IFNULL"),
    **dict.fromkeys(("STRPOS", "CHARINDEX", "LOCATE"), "INSTR"),
    **dict.fromkeys(("SIZE", "ARRAY_SIZE", "LIST_LENGTH", "MAP_SIZE"), "CARDINALITY"),
    **dict.fromkeys(("ARRAY_FILTER", "LIST_FILTER", "MAP_FILTER"), "FILTER"),
    **dict.fromkeys(
        ("ARRAY_MAP", "ARRAY_TRANSFORM", "LIST_TRANSFORM", "TRANSFORM_VALUES", "TRANSFORM_KEYS"), "TRANSFORM"
    ),
    **dict.fromkeys(("ARRAY_REDUCE", "LIST_REDUCE", "AGGREGATE", "FOLD"), "REDUCE"),
    **dict.fromkeys(("LIST_CONTAINS", "ARRAYCONTAINS"), "ARRAY_CONTAINS"),
    **dict.fromkeys(("STRING_SPLIT", "SPLIT_TO_ARRAY", "STRING_TO_ARRAY"), "SPLIT"),
    **dict.fromkeys(("EXTRACTJSONFIELD", "JSON_EXTRACT_SCALAR", "JSON_EXTRACT_STRING"), "JSON_VALUE"),
    **dict.fromkeys(("JSON_EXTRACT", "GET_JSON_OBJECT"), "JSON_QUERY"),
    **dict.fromkeys(("TO_JSON_STRING", "TOJSONSTRING"), "TO_JSON"),
    **dict.fromkeys(("UNIX_TIMESTAMP", "UNIX_MILLIS", "EPOCH_MS"), "TO_EPOCH_MILLIS"),
    **dict.fromkeys(("DATE_FORMAT", "FORMAT_DATE", "FORMAT_TIMESTAMP", "TIMESTAMPTOSTRING", "DATETOSTRING"), "TO_CHAR"),
    **dict.fromkeys(("PARSE_DATE", "STRINGTODATE", "STR_TO_DATE"), "TO_DATE"),
    **dict.fromkeys(("PARSE_TIMESTAMP", "STRINGTOTIMESTAMP", "STRPTIME"), "TO_TIMESTAMP"),
    **dict.fromkeys(("DATEADD", "TIMESTAMPADD"), "DATE_ADD"),
    **dict.fromkeys(("DATEDIFF", "TIMESTAMPDIFF"), "DATE_DIFF"),
    **dict.fromkeys(("CONVERT_TZ", "CONVERT_TIMEZONE"), "AT_TIME_ZONE"),
    **dict.fromkeys(("SHA2", "HASH_SHA256"), "SHA256"),
}
"""Their name → ours; what is counted or given otherwise, its entry in SHOW FUNCTIONS tells."""
