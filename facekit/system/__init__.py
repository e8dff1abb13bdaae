"""The machine: home folder, files, locks, terminal, processes."""
