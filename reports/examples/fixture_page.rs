//! Prints the page of an invented sweep, to look at: `cargo run -p tilecast-reports --example fixture_page > page.html`.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let page = tilecast_reports::page(&fixture::input(&fixture::rows()))?;
    std::io::stdout().write_all(page.as_bytes())?;
    Ok(())
}
