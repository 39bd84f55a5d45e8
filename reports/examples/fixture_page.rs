//! Writes the page of an invented sweep, to look at: `cargo run -p tilecast-reports --example fixture_page -- page.html`.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: fixture_page PATH")?;
    let page = tilecast_reports::page(&fixture::input(&fixture::rows()))?;
    std::fs::write(path, page)?;
    Ok(())
}
