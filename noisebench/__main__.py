"""`python -m noisebench`."""

from noisebench.cli.app import main

if __name__ == "__main__":
    main()
