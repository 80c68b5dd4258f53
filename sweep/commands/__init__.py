"""Functions behind the commands. `sweep.cli` defines their arguments and options."""
