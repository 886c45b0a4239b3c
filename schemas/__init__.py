"""The contract: values and bytes shared by every part. Pure; imports nothing of ours."""
