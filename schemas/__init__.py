"""What every part shares: records, their bytes, types, formats, options and errors. Pure; imports nothing of ours."""
