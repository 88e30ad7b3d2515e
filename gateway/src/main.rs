//! The program `bridge32`.

fn main() -> std::process::ExitCode {
    bridge32_gateway::cli::main()
}
