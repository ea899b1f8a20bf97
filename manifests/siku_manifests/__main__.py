"""`python -m siku_manifests` is `siku`."""

from siku_manifests.command import main

if __name__ == "__main__":  # a spawned worker imports this module under another name
    main()
