#!/bin/sh
# Put a new version in service without an answer lost: first the schema, then one process after the other.
# Usage: restart.sh PORT...   (as root, on the machine of the systemd units)
set -eu
# The owner's URL is in a file of its own: the processes that serve never see it.
DATABASE_URL="$(cat /etc/heller/owner-url)" /opt/heller/bin/heller schema apply
for port in "$@"; do
    systemctl restart "heller-serve@$port"
    curl --silent --fail --retry 30 --retry-delay 1 --retry-all-errors "http://127.0.0.1:$port/ready" >/dev/null
done
systemctl restart 'heller-worker@*'
