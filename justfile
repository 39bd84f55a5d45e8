# `just check` is what CI runs; see README.md.
check:
    scripts/test

demo:
    cargo run --release -- demo -o tc-demo

# Rewrite golden files after looking at why they changed.
golden:
    UPDATE=1 INSTA_UPDATE=always cargo test --workspace
