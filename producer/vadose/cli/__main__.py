"""`python -m vadose.cli`, the same program as `vadose`."""

from vadose.cli.main import main

main()
