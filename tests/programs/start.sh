#!/bin/sh
# Proves that a program is followed through a script: runs its arguments and exits with their status.
"$@"
status=$?
echo "script=done status=$status"
exit "$status"
