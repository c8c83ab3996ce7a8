#!/usr/bin/env bash
# Builds the program as one static binary with the gnu toolchain, no other needed, and lets ldd judge it.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
# --target, or the procedural macros would be linked statically too.
RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" cargo build --release --locked --target "$host"
binary=${CARGO_TARGET_DIR:-target}/$host/release/keras-model
verdict=$(ldd "$binary" 2>&1 || true)
echo "$binary: $(stat -c %s "$binary") bytes, ldd: $verdict"
case $verdict in
  *"statically linked"* | *"not a dynamic executable"*) ;;
  *) exit 1 ;;
esac
"$binary" --version
