"""A task host whose tasks share no fetch: what the shared fetch is measured against."""

from jobplane.processors.host import main

if __name__ == "__main__":
    main(shares=False)
