"""Documents -> vocabulary -> token files."""
