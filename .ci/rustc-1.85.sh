#!/bin/sh
# For wasm.sh: what the workspace uses and was still unstable in Rust 1.85. Add to the list what the compiler names.
exec "$@" -Zcrate-attr='feature(const_vec_string_slice, float_next_up_down, integer_sign_cast, let_chains, slice_as_chunks, trait_upcasting, unsigned_is_multiple_of)'
