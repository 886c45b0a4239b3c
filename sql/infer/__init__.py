"""From a sample of records to the CREATE MAPPING that reads them."""
