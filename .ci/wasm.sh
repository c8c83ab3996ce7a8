#!/usr/bin/env bash
# Builds hdf5-lite, keras-model and keras-runtime for wasm32-unknown-unknown, without the file map and threads: once
# plain, once with the vectors of simd128. `cargo test --target wasm32-wasip1 --lib -p keras-runtime --no-default-features`
# runs the tests of the kernels, with CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings .ci/wasi.mjs".
# Uses rustup's target if it is installed. Else Debian's rustc-web, cargo-web, rust-web-src and lld-19: Rust 1.85, older
# than the workspace's, which builds the standard library itself; rustc-1.85.sh names the features stable since.
set -euo pipefail
cd "$(dirname "$0")/.."
target=wasm32-unknown-unknown
args=(--release --locked --target "$target" --no-default-features -p hdf5-lite -p keras-model -p keras-runtime)

build() {
  for flags in "" "-C target-feature=+simd128"; do
    RUSTFLAGS=$flags "$@" "${args[@]}"
  done
}

if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
  build cargo build
elif [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -x /usr/bin/wasm-ld-19 ]; then
  export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
  export RUSTC_WORKSPACE_WRAPPER=$PWD/.ci/rustc-1.85.sh CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/wasm
  build /usr/bin/cargo build -Zbuild-std=std,panic_abort --ignore-rust-version
else
  echo "no $target: rustup target add $target, or apt-get install rustc-web cargo-web rust-web-src lld-19" >&2
  exit 1
fi
