"""What goes wrong under a library: kills, full disks, files that change, many processes at once."""
