"""The functions of the language: one typed Python function each. Importing this package registers all of them."""

from jobplane.sql.functions import arrays as arrays
from jobplane.sql.functions import binary as binary
from jobplane.sql.functions import documents as documents
from jobplane.sql.functions import masking as masking
from jobplane.sql.functions import numbers as numbers
from jobplane.sql.functions import patterns as patterns
from jobplane.sql.functions import real_numbers as real_numbers
from jobplane.sql.functions import temporal as temporal
from jobplane.sql.functions import temporal_conversions as temporal_conversions
from jobplane.sql.functions import temporal_fields as temporal_fields
from jobplane.sql.functions import text as text
from jobplane.sql.functions import urls as urls
from jobplane.sql.functions.signature import FUNCTIONS, NOT_OFFERED

__all__ = ["FUNCTIONS", "NOT_OFFERED"]
