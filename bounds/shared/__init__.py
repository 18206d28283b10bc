"""What all packages stand on: exact numbers, errors, files, command lines, claims, figures."""
