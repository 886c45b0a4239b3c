"""`python -m jobplane` is the command line."""

from jobplane.controlplane.cli.main import main

if __name__ == "__main__":
    main(prog_name="jobplane")
